"""Instants are aware UTC in whole seconds, spans are half-open: the rules, checked in one place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from heliostat.errors import InvalidInput

FIRST_YEAR, LAST_YEAR = 1970, 9000
"""Between them instants are taken from files: epoch seconds are not negative, and calendars have room
left for every horizon and lease."""


def check_instant(field: str, instant: datetime) -> datetime:
    """`instant` itself when it is aware UTC and whole seconds. Raises InvalidInput otherwise."""
    if instant.tzinfo is not UTC and instant.utcoffset() != timedelta(0):
        raise InvalidInput(field, f"{instant.isoformat()} is not an aware UTC instant")
    if instant.microsecond:
        raise InvalidInput(field, f"{instant.isoformat()} is not a whole second")
    return instant


def from_epoch(seconds: int) -> datetime:
    """The UTC instant that many seconds after 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def to_epoch(instant: datetime) -> int:
    """Whole seconds since 1970."""
    return int(instant.timestamp())


def floor_to(instant: datetime, step: timedelta) -> datetime:
    """The latest multiple of `step` (counted from 1970) that is not after `instant`."""
    seconds = int(step.total_seconds())
    return from_epoch(to_epoch(instant) // seconds * seconds)


def ceil_to(instant: datetime, step: timedelta) -> datetime:
    """The earliest multiple of `step` (counted from 1970) that is not before `instant`."""
    floor = floor_to(instant, step)
    return floor if floor == instant else floor + step


@dataclass(frozen=True, slots=True)
class Span:
    """The half-open stretch of time `[start, end)`."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        check_instant("span.start", self.start)
        check_instant("span.end", self.end)
        if self.end < self.start:
            raise InvalidInput("span", f"ends {self.end} before it starts {self.start}")

    def __str__(self) -> str:
        return f"{_in_words(self.start)} to {_in_words(self.end)}"

    @property
    def length(self) -> timedelta:
        """How long the span is."""
        return self.end - self.start

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def steps(self, step: timedelta) -> Iterator[datetime]:
        """Every `start + k·step` inside the span."""
        at = self.start
        while at < self.end:
            yield at
            at += step


def is_time_zone(name: str) -> bool:
    """True for the name of an IANA time zone that this machine knows."""
    try:
        ZoneInfo(name)
    except (
        ZoneInfoNotFoundError,
        ValueError,
        OSError,
    ):  # names are paths: `America` is a directory
        return False
    return True


def _in_words(instant: datetime) -> str:
    """`2026-03-02T12:00Z`, with seconds only where there are any."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}" if instant.second else f"{instant:%Y-%m-%dT%H:%MZ}"
