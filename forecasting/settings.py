"""Settings of a forecaster; the measurements in docs/ use the defaults."""

from __future__ import annotations

from calendar import SATURDAY
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from forecasting.conformal import PRIOR_LEVELS
from forecasting.families import FAST_FAMILY, Family
from forecasting.fitting import CalibrationRule
from forecasting.grid import LocalCalendar
from forecasting.memory import ShiftRule
from heliostat.errors import InvalidInput
from heliostat.model.forecast import QUANTILE_LEVELS
from heliostat.model.instants import is_time_zone
from heliostat.model.names import EVERYWHERE, RegionName


@dataclass(frozen=True, slots=True, kw_only=True)
class RefitRule:
    """Parameters are fitted on data before the last whole multiple (from 1970) of an interval.

    The interval grows with the history, so that a young series learns quickly. `training` is the
    longest history that a fit reads: with it one day shorter than what callers pass, every fit of a
    day reads the same buckets.
    """

    training: timedelta = timedelta(days=27)
    intervals: tuple[tuple[timedelta, timedelta], ...] = (
        (timedelta(days=14), timedelta(days=1)),
        (timedelta(days=2), timedelta(hours=1)),
    )

    def interval(self, age: timedelta) -> timedelta | None:
        """How long parameters of a series that old are kept; None = fitted at every step."""
        for least_age, interval in self.intervals:
            if age >= least_age:
                return interval
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecasterSettings:
    """`zones` gives regions their clock (UTC where unnamed); `holidays` count as days off everywhere,
    `region_holidays` in one region, and of aggregates those that every region of `zones` has.

    `forget_after`: a series silent for longer has no forecast. A challenger's loss must be
    `challenger_margin` (a share) below the default's. `batch` series are computed at once.
    Raises InvalidInput on levels outside (0, 1) and on unknown zones.
    """

    family: Family = FAST_FAMILY
    levels: tuple[float, ...] = QUANTILE_LEVELS
    zones: Mapping[RegionName, str] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()
    region_holidays: Mapping[RegionName, frozenset[date]] = field(default_factory=dict)
    shift: ShiftRule = ShiftRule()
    calibration: CalibrationRule = CalibrationRule()
    refit: RefitRule = RefitRule()
    forget_after: timedelta = timedelta(days=14)
    selection_window: timedelta = timedelta(days=7)
    challenger_margin: float = 0.05
    batch: int = 64
    remembered: int = 20_000

    def __post_init__(self) -> None:
        if not all(PRIOR_LEVELS[0] < level < PRIOR_LEVELS[-1] for level in self.levels):
            raise InvalidInput("forecaster.levels", f"{self.levels} must be between 0 and 1")
        for zone in self.zones.values():
            if not is_time_zone(zone):
                raise InvalidInput("forecaster.zones", f"unknown time zone {zone!r}")

    def calendar(self, origin: RegionName) -> LocalCalendar:
        """The clock and days off of that region; of an aggregate UTC, and what all regions share."""
        everywhere = origin == EVERYWHERE
        own = self._shared if everywhere else self.region_holidays.get(origin, frozenset())
        return LocalCalendar(zone=self.zones.get(origin, "UTC"), holidays=self.holidays | own)

    @property
    def days_apart(self) -> Mapping[RegionName, frozenset[date]]:
        """Per region the working days off that aggregates do not know of, because another region works.

        An aggregate has one calendar: it expects of such a day what it would bring if all regions worked,
        and learns from a past one as from a working day on which a little less came.
        """
        known = self.holidays | self._shared
        apart = {
            region: frozenset(day for day in days - known if day.weekday() < SATURDAY)
            for region, days in self.region_holidays.items()
        }
        return {region: days for region, days in apart.items() if days}

    @property
    def _shared(self) -> frozenset[date]:
        own = [self.region_holidays.get(region, frozenset()) for region in self.zones]
        return frozenset.intersection(*own) if own else frozenset()
