"""Turns domain values into plain JSON: names as fields, instants as UTC ISO, lengths of time in seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from heliostat.model.instants import Span
from heliostat.model.latency import LatencySketch

QUANTILES = (0.5, 0.9, 0.99)


def plain(value: Any) -> Any:
    """The value as dictionaries, lists, strings and numbers.

    What holds a timedelta becomes `<name>_seconds`; NaN and infinity become null; a latency
    sketch becomes its count and quantiles in seconds.
    """
    match value:
        case None | bool() | int():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return str(value)
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return iso(value)
        case timedelta():
            return value.total_seconds()
        case Path():
            return str(value)
        case LatencySketch():
            return latency(value)
        case Span():
            return {"start": iso(value.start), "end": iso(value.end)}
        case Mapping():
            return dict(_named(str(key), item) for key, item in value.items())
        case set() | frozenset():
            return sorted((plain(item) for item in value), key=str)
    if is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in fields(value) if field.name[0] != "_")
        return dict(_named(name, getattr(value, name)) for name in names)
    return [plain(item) for item in value]


def latency(sketch: LatencySketch) -> dict[str, Any]:
    """Count and quantiles of a latency sketch."""
    found = {f"p{level * 100:g}_seconds": plain(sketch.quantile(level)) for level in QUANTILES}
    return {"count": sketch.count, **found}


def iso(instant: datetime) -> str:
    """`2026-03-02T12:00:00Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _named(name: str, item: Any) -> tuple[str, Any]:
    return (f"{name}_seconds" if isinstance(item, timedelta) else name), plain(item)
