"""Formats numbers as names: ids that sort by creation, opaque routing versions."""

from __future__ import annotations

_DIGITS = 12


def command_id(number: int) -> str:
    """The id of the number-th command."""
    return f"{number:0{_DIGITS}d}"


def routing_version(number: int) -> str:
    """The version of the number-th publication; opaque to readers, yet sortable for people."""
    return f"r{number:0{_DIGITS}d}"
