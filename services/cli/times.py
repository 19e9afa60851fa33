"""Parses instants and lengths of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from heliostat.clock import SystemClock
from heliostat.errors import InvalidInput
from heliostat.model.instants import Span

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = timedelta(days=36_525)
INSTANT_HELP = "UTC instant (2026-03-02T12:00Z), 'now', or an age (-90m, -24h, -7d)"
LENGTH_HELP = "length of time: 90s, 15m, 6h, 2d"


def parse_length(field: str, text: str) -> timedelta:
    """`90s`, `15m`, `6h`, `2d`, `1w`; a hundred years at most. Raises InvalidInput."""
    match = _LENGTH.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(
            field, f"{text!r} is not a length of time", remedy=f"use a {LENGTH_HELP}"
        )
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise InvalidInput(field, f"{text!r} is longer than a hundred years")
    return timedelta(seconds=seconds)


def parse_instant(field: str, text: str, now: datetime) -> datetime:
    """An instant in whole seconds. Without an offset it is UTC. Raises InvalidInput."""
    word = text.strip()
    if word == "now":
        return now
    try:
        if word.startswith(("-", "+")):
            length = parse_length(field, word[1:])
            at = now - length if word[0] == "-" else now + length
        else:
            at = datetime.fromisoformat(word)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            field, f"{text!r} is not an instant", remedy=f"use a {INSTANT_HELP}"
        ) from None
    return at.replace(microsecond=0)


def parse_span(start: str, end: str, now: datetime) -> Span:
    """The half-open span between two typed instants. Raises InvalidInput."""
    return Span(parse_instant("--start", start, now), parse_instant("--end", end, now))


def present() -> datetime:
    """Now, asked once per command."""
    return SystemClock().now()
