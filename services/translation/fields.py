"""Instants, lengths of time and numbers on the wire, and what is checked of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, from_epoch, to_epoch
from heliostat.v1 import common_pb2
from services.translation.texts import LONGEST_NAME, check_text

_EARLIEST = 0
_LATEST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
_LONGEST = timedelta(days=36525)


def instant_to_wire(instant: datetime) -> Timestamp:
    """Whole seconds of UTC."""
    return Timestamp(seconds=to_epoch(instant))


def instant_from_wire(path: str, stamp: Timestamp) -> datetime:
    """The instant. Raises InvalidInput for fractions of a second and years outside 1970–9999."""
    if stamp.nanos:
        raise InvalidInput(path, "is not a whole second")
    if not _EARLIEST <= stamp.seconds <= _LATEST:
        raise InvalidInput(path, f"{stamp.seconds} seconds is outside the years 1970 to 9999")
    return from_epoch(stamp.seconds)


def required(path: str, message: Message, name: str) -> str:
    """The path of a field that must be present. Raises InvalidInput when it is not."""
    if not message.HasField(name):
        raise InvalidInput(f"{path}.{name}" if path else name, "is missing")
    return f"{path}.{name}" if path else name


def required_text(path: str, text: str) -> str:
    """A name or a reason. Raises InvalidInput when it is empty, endless or not to be stored."""
    if not text:
        raise InvalidInput(path, "is empty")
    if len(text) > LONGEST_NAME:
        raise InvalidInput(path, f"has {len(text)} characters, at most {LONGEST_NAME} are allowed")
    return check_text(path, text)


def length_to_wire(length: timedelta) -> Duration:
    """The length of time, to the microsecond."""
    duration = Duration()
    duration.FromTimedelta(length)
    return duration


def length_from_wire(path: str, duration: Duration) -> timedelta:
    """The length of time. Raises InvalidInput for negative, broken or longer than a hundred years."""
    if not 0 <= duration.nanos < 10**9 or duration.nanos % 1000:
        raise InvalidInput(path, "is not a positive length in whole microseconds")
    if not 0 <= duration.seconds <= _LONGEST.total_seconds():
        raise InvalidInput(path, f"{duration.seconds} seconds is outside [0, {_LONGEST}]")
    return timedelta(seconds=duration.seconds, microseconds=duration.nanos // 1000)


def finite(path: str, number: float) -> float:
    """The number when it is one. Raises InvalidInput for infinities and NaN."""
    if not math.isfinite(number):
        raise InvalidInput(path, f"{number} is not a number")
    return number


def count(path: str, number: int) -> int:
    """The number when it is not negative. Raises InvalidInput."""
    if number < 0:
        raise InvalidInput(path, f"{number} is negative")
    return number


def revision_from_wire(path: str, etag: str) -> int:
    """The revision behind an etag. Raises InvalidInput when it is none of ours."""
    if not (etag.isascii() and etag.isdigit()):
        raise InvalidInput(path, f"{etag!r} is not a valid etag")
    return int(etag)


def span_to_wire(span: Span) -> common_pb2.TimeSpan:
    """Both ends."""
    return common_pb2.TimeSpan(start=instant_to_wire(span.start), end=instant_to_wire(span.end))


def span_from_wire(path: str, span: common_pb2.TimeSpan) -> Span:
    """The span. Raises InvalidInput when an end is missing or it ends before it starts."""
    start = instant_from_wire(required(path, span, "start"), span.start)
    end = instant_from_wire(required(path, span, "end"), span.end)
    if end < start:
        raise InvalidInput(f"{path}.end", f"{end} is before the start {start}")
    return Span(start, end)
