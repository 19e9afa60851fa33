"""Decides inside one region which replica serves a request, in which order and batch.

`docs/scheduling.md` has the words, the ports and the flow. Pure: seconds are those of the caller's
clock, chance comes as an argument.
"""
