"""Holidays that an operator names reach the forecaster, as dates and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml

from heliostat.errors import InvalidSettings
from heliostat.model.forecast import Forecast
from heliostat.model.names import EVERYWHERE
from planning.grid import horizon
from planning.planner import HeliostatPlanner
from planning.situation import look
from planning.wanted import WantedDemand
from services.control_plane.bootstrap import parts_of
from services.control_plane.settings import ControlPlaneSettings, load_settings
from tests.builders import NOON, catalogue_mapping
from tests.forecasting.series import DAY, demand, key, rates
from tests.planning.worlds import a_problem

TUESDAY = (NOON + DAY).date()


def load(folder: Path, said: str = "") -> ControlPlaneSettings:
    """A control plane's settings, with what else the file says."""
    catalogue, file = folder / "catalogue.yaml", folder / "heliostat.yaml"
    mapping = catalogue_mapping()
    for region in mapping["regions"]:
        region["time_zone"] = "UTC"  # as the weekends of `rates`
    catalogue.write_text(yaml.safe_dump(mapping))
    file.write_text(
        f"database: memory\npage_listen: ''\nforecast_family: fast\nworkers: 1\n"
        f"catalogue: {catalogue}\n{said}\n"
    )
    return load_settings(file)


def forecast_by(settings: ControlPlaneSettings) -> Forecast:
    """Of three weeks with quieter weekends, until Wednesday noon."""
    parts = parts_of(settings)
    try:
        (found,) = parts.deciders.forecaster.forecast(
            [demand(rates(21))], issued_at=NOON, horizon=2 * DAY
        )
    finally:
        parts.close()
    return found


def mean_median(forecast: Forecast, day: date) -> float:
    """Tokens per second in the middle of what is expected of that day."""
    steps = [
        forecast.mean[0][step]
        for step in range(forecast.steps)
        if (forecast.start + step * forecast.step).date() == day
    ]
    return sum(steps) / len(steps)


def wanted_by(settings: ControlPlaneSettings) -> WantedDemand:
    """What is planned for on Tuesday noon, of demand of both regions and its sum."""
    parts = parts_of(settings)
    east, west = (rates(21, seed=seed, noise=0.03) for seed in (1, 2))
    series = [
        replace(demand(values), key=key("alpha", origin))
        for origin, values in (("east", east), ("west", west), (EVERYWHERE, east + west))
    ]
    planner = parts.deciders.planner
    assert isinstance(planner, HeliostatPlanner)
    try:
        found = parts.deciders.forecaster.forecast(series, issued_at=NOON, horizon=2 * DAY)
    finally:
        parts.close()
    problem = a_problem(catalogue=parts.catalogue, forecasts=found, at=NOON + DAY)
    return look(problem, planner.settings, horizon(problem.at, planner.settings)).wanted


def pooled(wanted: WantedDemand) -> dict[str, float]:
    """Requests per second that flows are planned for, by origin."""
    return {row.key.origin: float(np.mean(row.pooled)) for row in wanted.regional}


def test_a_holiday_is_forecast_as_a_day_off(tmp_path: Path) -> None:
    working = forecast_by(load(tmp_path))
    off = forecast_by(load(tmp_path, f"holidays: [{TUESDAY}]"))
    assert mean_median(off, TUESDAY) < 0.6 * mean_median(working, TUESDAY)
    for day in (NOON.date(), (NOON + 2 * DAY).date()):
        assert mean_median(off, day) == pytest.approx(mean_median(working, day))


def test_a_region_has_days_off_of_its_own(tmp_path: Path) -> None:
    """What `rates` makes is the demand of east."""
    working = forecast_by(load(tmp_path))
    off = forecast_by(load(tmp_path, f"region_holidays: {{east: [{TUESDAY}]}}"))
    elsewhere = forecast_by(load(tmp_path, f"region_holidays: {{west: [{TUESDAY}]}}"))
    assert mean_median(off, TUESDAY) < 0.6 * mean_median(working, TUESDAY)
    assert elsewhere.mean == working.mean


def test_demand_that_a_holiday_keeps_away_is_not_planned_for_in_another_region(
    tmp_path: Path,
) -> None:
    working = wanted_by(load(tmp_path))
    off = wanted_by(load(tmp_path, f"region_holidays: {{east: [{TUESDAY}]}}"))
    assert pooled(off)["east"] < 0.6 * pooled(working)["east"]
    for row in off.regional:
        assert row.pooled.tolist() == row.own.tolist()
    assert (off.regional[1].own == working.regional[1].own).all()
    assert working.notes == ()
    assert [note.partition(":")[0] for note in off.notes] == ["east"]


def test_holidays_that_all_regions_share_are_those_of_the_aggregate(tmp_path: Path) -> None:
    each = f"region_holidays: {{east: [{TUESDAY}], west: [{TUESDAY}]}}"
    apart, together = (wanted_by(load(tmp_path, said)) for said in (each, f"holidays: [{TUESDAY}]"))
    assert pooled(apart) == pooled(together)
    assert apart.notes == together.notes == ()


def test_holidays_of_a_region_that_the_catalogue_lacks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"region_holidays\.estus .*no such region"):
        parts_of(load(tmp_path, f"region_holidays: {{estus: [{TUESDAY}]}}"))


def test_holidays_may_stand_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(tmp_path).holidays == frozenset()
    monkeypatch.setenv("HELIOSTAT_HOLIDAYS", '["2026-12-25", "2027-01-01"]')
    assert load(tmp_path).holidays == {date(2026, 12, 25), date(2027, 1, 1)}


@pytest.mark.parametrize("wrong", ["christmas", "2026-02-30", "20261225", "2026-12-25T12:00:00Z"])
def test_what_is_no_date_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(InvalidSettings, match=r"holidays\.1 \(HELIOSTAT_HOLIDAYS\)"):
        load(tmp_path, f"holidays: ['2026-12-24', '{wrong}']")
