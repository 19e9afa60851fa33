"""Clocks of regions: which local hour and weekday an hour of UTC is in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from heliostat.catalogue import RegionSpec
from simulation.columns import Floats

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHours:
    """Consecutive hours as a region's clock shows them at their middle: hour of day, weekend or not."""

    hour_of_day: Floats
    weekend: NDArray[np.bool_]


def local_hours(region: RegionSpec, start: datetime, hours: int) -> LocalHours:
    """The region's clock in the middle of each of `hours` hours from `start`."""
    zone = ZoneInfo(region.time_zone)
    middles = [(start + HOUR * (i + 0.5)).astimezone(zone) for i in range(hours)]
    return LocalHours(
        hour_of_day=np.array([at.hour + at.minute / 60 for at in middles]),
        weekend=np.array([at.weekday() >= 5 for at in middles], dtype=np.bool_),
    )


def offset_minutes(region: RegionSpec, at: datetime) -> int:
    """How many minutes the region's clock is ahead of UTC at that instant."""
    offset = at.astimezone(ZoneInfo(region.time_zone)).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)
