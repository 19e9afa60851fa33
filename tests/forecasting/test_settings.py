"""Whose days off a forecast knows: each region's own, and of an aggregate those that all regions share."""

from __future__ import annotations

from datetime import date

from forecasting.settings import ForecasterSettings
from heliostat.model.names import EVERYWHERE, RegionName

EAST, WEST, NORTH = (RegionName(name) for name in ("east", "west", "north"))
ZONES = {EAST: "America/New_York", WEST: "UTC"}
NEW_YEAR, THANKSGIVING, LABOUR = date(2027, 1, 1), date(2026, 11, 26), date(2026, 5, 1)
A_SATURDAY = date(2026, 12, 26)


def test_an_aggregate_has_the_days_off_that_all_regions_share() -> None:
    settings = ForecasterSettings(
        zones=ZONES,
        holidays=frozenset([NEW_YEAR]),
        region_holidays={
            EAST: frozenset([THANKSGIVING, LABOUR, NEW_YEAR, A_SATURDAY]),
            WEST: frozenset([LABOUR]),
        },
    )
    assert settings.calendar(EVERYWHERE).holidays == {NEW_YEAR, LABOUR}
    assert settings.calendar(EVERYWHERE).zone == "UTC"
    assert settings.calendar(EAST).holidays == {NEW_YEAR, LABOUR, THANKSGIVING, A_SATURDAY}
    assert settings.days_apart == {EAST: {THANKSGIVING}}


def test_a_day_that_one_region_lacks_is_apart_in_all_others() -> None:
    settings = ForecasterSettings(
        zones=ZONES | {NORTH: "UTC"},
        region_holidays=dict.fromkeys((EAST, WEST), frozenset([LABOUR])),
    )
    assert settings.calendar(EVERYWHERE).holidays == frozenset()
    assert settings.days_apart == {EAST: {LABOUR}, WEST: {LABOUR}}


def test_without_days_off_of_regions_none_is_apart() -> None:
    for zones in ({}, ZONES):
        settings = ForecasterSettings(zones=zones, holidays=frozenset([NEW_YEAR]))
        assert settings.calendar(EVERYWHERE) == ForecasterSettings(
            holidays=frozenset([NEW_YEAR])
        ).calendar(EVERYWHERE)
        assert settings.days_apart == {}
