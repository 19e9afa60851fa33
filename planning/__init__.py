"""Decides how many replicas stand where, and which region serves which request."""
