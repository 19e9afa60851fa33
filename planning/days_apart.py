"""Steps of a horizon in which a region has a day off that aggregate forecasts do not know of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from planning.arrays import Bools
from planning.grid import Grid

_DAY = timedelta(days=1)
_LEAST = timedelta(microseconds=1)


def steps_apart(
    days: Mapping[RegionName, frozenset[date]], catalogue: FleetCatalogue, grid: Grid
) -> dict[RegionName, Bools]:
    """Per region that has one of its `days`, by its own clock, in a step: which steps touch them."""
    found = {
        region.name: np.array(
            [_touches(span, ZoneInfo(region.time_zone), days[region.name]) for span in grid.spans]
        )
        for region in catalogue.regions
        if region.name in days
    }
    return {name: steps for name, steps in found.items() if steps.any()}


def _touches(span: Span, zone: ZoneInfo, days: frozenset[date]) -> bool:
    first = span.start.astimezone(zone).date()
    last = (span.end - _LEAST).astimezone(zone).date()
    return any(first + number * _DAY in days for number in range((last - first).days + 1))
