"""The regular grid of a series: the instant, local hour and weekday of each bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidInput
from heliostat.model.instants import from_epoch, to_epoch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
_EPOCH = date(1970, 1, 1)
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0.


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCalendar:
    """Whose clock and whose days off shape the demand; holidays count as weekend days."""

    zone: str = "UTC"
    holidays: frozenset[date] = frozenset()

    def local_seconds(self, epochs: Ints) -> Ints:
        """Seconds on the local clock (epoch + UTC offset), daylight saving included."""
        if self.zone == "UTC":
            return epochs
        hours, places = np.unique(epochs // HOUR_SECONDS, return_inverse=True)
        offsets = np.array([_offset(self.zone, int(hour)) for hour in hours], dtype=np.int64)
        return epochs + offsets[places]

    def days_off(self, local_seconds: Ints) -> Floats:
        """1.0 on Saturdays, Sundays and holidays, else 0.0."""
        days = local_seconds // DAY_SECONDS
        off = (days + _EPOCH_WEEKDAY) % 7 >= 5
        if self.holidays:
            off |= np.isin(days, [(day - _EPOCH).days for day in self.holidays])
        return off.astype(np.float64)


@lru_cache(maxsize=65_536)
def _offset(zone: str, hour: int) -> int:
    offset = from_epoch(hour * HOUR_SECONDS).astimezone(ZoneInfo(zone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Buckets of `step` seconds; bucket i begins `start + i·step` seconds after 1970.

    Raises InvalidInput when an hour is not a whole number of buckets.
    """

    start: int
    step: int
    calendar: LocalCalendar = field(default_factory=LocalCalendar)

    def __post_init__(self) -> None:
        if self.step <= 0 or HOUR_SECONDS % self.step:
            raise InvalidInput("demand.step", f"an hour is not a whole number of {self.step} s")

    @classmethod
    def of(cls, start: datetime, step: timedelta, calendar: LocalCalendar) -> Grid:
        """The grid of a series that starts then."""
        return cls(start=to_epoch(start), step=int(step.total_seconds()), calendar=calendar)

    @property
    def per_hour(self) -> int:
        """Buckets an hour."""
        return HOUR_SECONDS // self.step

    @property
    def per_day(self) -> int:
        """Buckets a day."""
        return DAY_SECONDS // self.step

    @property
    def per_week(self) -> int:
        """Buckets a week."""
        return 7 * self.per_day

    def epochs(self, buckets: Ints) -> Ints:
        """When these buckets begin, in seconds since 1970."""
        return self.start + buckets * self.step

    def buckets(self, length: timedelta) -> int:
        """How many whole buckets fit into that length of time."""
        return int(length.total_seconds()) // self.step

    def later(self, buckets: int) -> Grid:
        """The same grid, counted from a later bucket."""
        return Grid(start=self.start + buckets * self.step, step=self.step, calendar=self.calendar)

    def week_slots(self, buckets: Ints) -> Ints:
        """Which bucket of the local week (0 = Thursday midnight, as 1970 began) each one is."""
        local = self.calendar.local_seconds(self.epochs(buckets))
        return local // self.step % self.per_week
