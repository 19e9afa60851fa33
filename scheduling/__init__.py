"""Decides inside one region which replica serves a request, in which order and batch."""
