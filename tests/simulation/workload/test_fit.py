"""Any trace makes two weeks and a day for a fleet, and every liberty taken is a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heliostat.errors import InvalidInput, InvalidTrace
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from simulation.workload.fit import FittedDemand, fit_to_demo, fit_to_fleet, synthesised_demand
from simulation.workload.load import LoadedTrace, load_trace
from simulation.workload.stretch import DAY, as_minutes, hourly_blocks, places, plan_stretch
from simulation.workload.tenancy import assign_homes
from simulation.workload.wanted import WantedDemand
from tests.builders import a_catalogue
from tests.simulation.workload.samples import requests_file, series_file
from tests.simulation.workload.test_figures import a_series
from tests.support.measured import measured, needs_data

TUESDAY = datetime(2026, 3, 10, tzinfo=UTC)
MONDAY = datetime(2025, 3, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)


def fitted(trace: LoadedTrace, *, busy: float = 40, seed: int = 1) -> FittedDemand:
    return fit_to_demo(trace, a_catalogue(), day_start=TUESDAY, busy_replicas=busy, seed=seed)


def hours_of(*, days: int, weekend: float = 0.3, peak_hour: int = 14) -> list[float]:
    """A load with a peak in one hour of the day and quiet weekends, from a Monday on."""
    return [
        (6000 + 5000 * np.cos(2 * np.pi * (hour - peak_hour) / 24))
        * (weekend if day % 7 >= 5 else 1)
        for day in range(days)
        for hour in range(24)
    ]


def key(origin: str, model: str = "alpha", tier: Tier = Tier.INTERACTIVE_FAST) -> DemandKey:
    return DemandKey(origin=RegionName(origin), model=ModelName(model), tier=tier)


def hourly(demand: FittedDemand, of: DemandKey) -> NDArray[np.float64]:
    both = [part.by_demand[of].offered for part in (demand.history, demand.day)]
    means: NDArray[np.float64] = np.concatenate(both).reshape(-1, 60).mean(axis=1)
    return means


def a_week(tmp_path: Path, zone: str = "", days: int = 7) -> LoadedTrace:
    values = {"service": hours_of(days=days)}
    return load_trace(series_file(tmp_path, values, step=HOUR, zone=zone, start=MONDAY))


def test_history_ends_where_the_day_starts(tmp_path: Path) -> None:
    demand = fitted(a_week(tmp_path))
    assert demand.history.span.end == demand.day.start == TUESDAY
    assert demand.history.minutes == 14 * DAY
    assert demand.day.minutes == DAY
    assert demand.history.demands == demand.day.demands
    assert len(demand.day.demands) == 2 * 2 * 3


def test_the_same_seed_gives_the_same_minutes(tmp_path: Path) -> None:
    trace = a_week(tmp_path)
    first, again, other = fitted(trace), fitted(trace), fitted(trace, seed=2)
    of = key("east")
    assert np.array_equal(first.day.by_demand[of].offered, again.day.by_demand[of].offered)
    assert not np.array_equal(first.day.by_demand[of].offered, other.day.by_demand[of].offered)


def test_a_tiled_week_keeps_weekdays_and_its_repeats_are_not_copies(tmp_path: Path) -> None:
    demand = fitted(a_week(tmp_path))
    by_day = hourly(demand, key("east")).reshape(-1, 24).sum(axis=1)
    start = TUESDAY - timedelta(days=14)
    weekend = [(start + timedelta(days=day)).weekday() >= 5 for day in range(15)]
    assert by_day[weekend].max() < by_day[~np.array(weekend)].min()
    first, second = by_day[:7], by_day[7:14]
    assert np.abs(second / first - 1).max() > 0.01
    assert any("7 days are repeated to 15 days" in said for said in demand.said)


def test_every_region_has_the_traces_hours_on_its_own_clock(tmp_path: Path) -> None:
    """14:00 of the trace's clock is 14:00 in New York (UTC−5) and in Los Angeles (UTC−8)."""
    demand = fitted(a_week(tmp_path, zone="UTC"))
    for region, utc_hour in (("east", 19), ("west", 22)):
        mean_day = hourly(demand, key(region)).reshape(-1, 24).mean(axis=0)
        assert abs(int(np.argmax(mean_day)) - utc_hour) <= 1


def test_a_local_time_zone_in_the_file_is_the_users_clock(tmp_path: Path) -> None:
    """A peak at 14:00 UTC is 22:00 in Shanghai, so it comes at 22:00 in New York: 03:00 UTC."""
    demand = fitted(a_week(tmp_path, zone="Asia/Shanghai"))
    mean_day = hourly(demand, key("east")).reshape(-1, 24).mean(axis=0)
    assert min((int(np.argmax(mean_day)) - 3) % 24, (3 - int(np.argmax(mean_day))) % 24) <= 1
    assert any("Asia/Shanghai" in said for said in demand.said)


@pytest.mark.parametrize("zone", ["campus", "../etc", "No/Where"])
def test_a_time_zone_that_is_none_is_said(tmp_path: Path, zone: str) -> None:
    demand = fitted(a_week(tmp_path, zone=zone))
    assert any("names no local time zone" in said for said in demand.said)


def test_a_long_series_is_used_once_and_not_tiled(tmp_path: Path) -> None:
    demand = fitted(a_week(tmp_path, days=35))
    assert any("Of 35 days, 15 consecutive days" in said for said in demand.said)


def test_the_level_keeps_the_wanted_replicas_busy(tmp_path: Path) -> None:
    trace = a_week(tmp_path)
    small, large = fitted(trace, busy=20), fitted(trace, busy=80)
    ratio = hourly(large, key("west")).sum() / hourly(small, key("west")).sum()
    assert ratio == pytest.approx(4, rel=0.02)


def test_lengths_come_from_the_trace_where_it_has_them(tmp_path: Path) -> None:
    arrivals = fitted(a_week(tmp_path)).day.by_demand[key("east")]
    assert arrivals.input_tokens.sum() / arrivals.offered.sum() == pytest.approx(100, rel=0.05)
    assert arrivals.output_tokens.sum() / arrivals.offered.sum() == pytest.approx(10, rel=0.1)


def test_lengths_that_the_trace_lacks_are_assumed_aloud(tmp_path: Path) -> None:
    values = {"service": hours_of(days=7)}
    trace = load_trace(series_file(tmp_path, values, step=HOUR, tokens=False))
    demand = fitted(trace)
    arrivals = demand.day.by_demand[key("east")]
    assert arrivals.input_tokens.sum() / arrivals.offered.sum() == pytest.approx(1000, rel=0.05)
    assert any(
        "Input tokens per request are the catalogue's assumptions" in said for said in demand.said
    )


def test_requests_that_the_trace_lacks_follow_from_input_tokens_aloud(tmp_path: Path) -> None:
    tokens = np.array(hours_of(days=7))
    missing = np.full(len(tokens), np.nan)
    only = a_series(list(tokens), HOUR)
    only = type(only)(
        series_id="t",
        start=MONDAY,
        step=HOUR,
        requests=missing,
        input_tokens=tokens,
        output_tokens=missing,
    )
    trace = a_week(tmp_path)
    trace = LoadedTrace(
        path=trace.path, format=trace.format, series=(only,), lengths=None, kept=1, bad=0, said=()
    )
    demand = fitted(trace)
    assert any("The trace has no request counts" in said for said in demand.said)
    assert any(
        "Output tokens per request are the catalogue's assumptions" in said for said in demand.said
    )
    assert hourly(demand, key("east")).min() > 0


def test_tenants_move_in_whole_and_every_cell_gets_one(tmp_path: Path) -> None:
    values = {f"p/client-{i}": [float(100 - i)] * 24 * 7 for i in range(9)}
    values["p/_total"] = [float(sum(100 - i for i in range(9)))] * 24 * 7
    trace = load_trace(series_file(tmp_path, values, step=HOUR))
    homes = assign_homes([one for one in trace.series if "client" in one.series_id], a_catalogue())
    names = [one.series_id for tenants in homes.series.values() for one in tenants]
    assert sorted(names) == sorted(name for name in values if "client" in name)
    assert all(homes.series.values())
    demand = fitted(trace)
    assert any("9 tenants" in said for said in demand.said)
    assert any("_total left out" in said for said in demand.said)


def test_holes_stay_missing_and_are_said(tmp_path: Path) -> None:
    values = hours_of(days=7)
    holed: list[float | None] = [None if 30 <= i < 40 else value for i, value in enumerate(values)]
    demand = fitted(load_trace(series_file(tmp_path, {"s": holed}, step=HOUR)))
    offered = demand.history.by_demand[key("east")].offered
    assert 10 * 60 <= np.isnan(offered).sum() <= 30 * 60
    assert any("Gaps stay missing" in said for said in demand.said)


def test_less_than_a_day_gets_its_hours_from_published_shapes(tmp_path: Path) -> None:
    arrivals = [float(second) for second in range(0, 3400, 2)]
    demand = fitted(load_trace(requests_file(tmp_path, arrivals)))
    mean_day = hourly(demand, key("east")).reshape(-1, 24).mean(axis=0)
    assert mean_day.max() > 1.5 * mean_day.min()
    assert any("56 minutes are less than a day" in said for said in demand.said)


def test_lengths_without_arrivals_get_synthesised_arrivals(tmp_path: Path) -> None:
    demand = fitted(load_trace(requests_file(tmp_path, [None] * 5, tokens=700)))
    arrivals = demand.day.by_demand[key("east")]
    assert arrivals.input_tokens.sum() / arrivals.offered.sum() == pytest.approx(700, rel=0.05)
    assert any("Only request lengths" in said for said in demand.said)


def test_a_trace_without_load_is_refused(tmp_path: Path) -> None:
    trace = load_trace(series_file(tmp_path, {"s": [0.0] * 48}, step=HOUR))
    with pytest.raises(InvalidTrace, match="no load"):
        fitted(trace)


@pytest.mark.parametrize("busy", [0.0, -1.0, float("nan"), float("inf")])
def test_an_absurd_level_is_refused(tmp_path: Path, busy: float) -> None:
    with pytest.raises(InvalidInput, match="busy_replicas"):
        fitted(a_week(tmp_path), busy=busy)


def test_without_a_trace_demand_is_synthesised() -> None:
    demand = synthesised_demand(a_catalogue(), day_start=TUESDAY, busy_replicas=20, seed=1)
    assert demand.history.minutes == 14 * DAY
    assert demand.day.start == TUESDAY
    assert "synthesised" in demand.said[0]


@given(st.integers(1, 60 * DAY), st.integers(-30 * DAY, 30 * DAY))
def test_stretched_minutes_keep_hour_and_weekday(minutes: int, ahead: int) -> None:
    stretch = plan_stretch(timedelta(minutes=minutes), 15 * DAY)
    if not stretch.period:
        assert minutes < DAY
        return
    at, uses = places(stretch, ahead)
    assert at.min() >= 0
    assert at.max() < stretch.period <= minutes
    cycle = 7 * DAY if minutes >= 7 * DAY else DAY
    assert np.all((at - ahead - np.arange(len(at))) % cycle == 0)
    assert uses[0] in (0, 1)


@given(st.integers(1, 59), st.integers(0, 2**31))
def test_hourly_blocks_keep_minutes_in_order(minutes: int, seed: int) -> None:
    at = hourly_blocks(minutes, 180, np.random.default_rng(seed))
    inside = np.arange(1, 180) % 60 != 0
    assert np.all((np.diff(at) % minutes)[inside] == 1 % minutes)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.sampled_from([10, 60, 600, 3600]))
def test_minutes_hold_about_what_the_bins_held(column: list[float], seconds: int) -> None:
    bins = np.array(column)
    minutes = as_minutes(bins, timedelta(seconds=seconds))
    assert minutes.min(initial=0) >= 0
    if seconds <= 60:
        whole = len(bins) * seconds // 60 * 60 // seconds
        assert minutes.sum() == pytest.approx(bins[:whole].sum())
    else:
        assert minutes.max() <= bins.max() * 60 / seconds + 1e-6


@needs_data("public traces on the demo's fleet")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("series/azure2024_conv_hourly.parquet", "7 days are repeated"),
        ("series/sageserve_A_1min.parquet", "The trace has no request counts"),
        ("series/servegen_m-small.parquet", "43 tenants"),
        ("traces/azure2023_conv.parquet", "58 minutes are less than a day"),
    ],
)
def test_public_traces_fit_the_fleet(name: str, said: str) -> None:
    demand = fitted(load_trace(measured(name)))
    assert any(said in sentence for sentence in demand.said)
    assert all(np.nansum(one.offered) > 0 for one in demand.day.by_demand.values())


def named_week(folder: Path, level: dict[str, float]) -> LoadedTrace:
    """A week of hours in UTC of every demand of the small catalogue, at a level by tier."""
    values = {
        f"{region}/{model}/{tier}": [requests * level[tier] for requests in hours_of(days=7)]
        for region in ("east", "west")
        for model in ("alpha", "beta")
        for tier in level
    }
    return load_trace(series_file(folder, values, step=HOUR, start=MONDAY))


def test_series_named_after_their_demand_stay_at_home_on_their_own_clock(tmp_path: Path) -> None:
    demand = fitted(named_week(tmp_path, {"interactive-fast": 3.0, "batch": 1.0}))
    assert any("is used there" in sentence for sentence in demand.said)
    assert not any("The trace has no tiers" in sentence for sentence in demand.said)
    east, west = hourly(demand, key("east")), hourly(demand, key("west"))
    assert np.corrcoef(east, west)[0, 1] > 0.9
    batch = hourly(demand, key("east", tier=Tier.BATCH))
    assert east.sum() / batch.sum() == pytest.approx(3, rel=0.05)
    silent = demand.day.by_demand[key("east", tier=Tier.INTERACTIVE_NORMAL)]
    assert not silent.offered.any()


def test_names_that_leave_a_region_out_are_tenants_like_any_other(tmp_path: Path) -> None:
    trace = named_week(tmp_path, {"interactive-fast": 1.0, "batch": 1.0})
    only = replace(trace, series=tuple(s for s in trace.series if "west/beta" not in s.series_id))
    assert any("tenants" in sentence for sentence in fitted(only).said)


def test_dates_that_the_trace_holds_are_kept(tmp_path: Path) -> None:
    """Twenty days from the wanted history's start on, each day at a level of its own."""
    levels = [float(10 + day) for day in range(20) for _ in range(24)]
    start = TUESDAY - timedelta(days=16)
    trace = load_trace(series_file(tmp_path, {"service": levels}, step=HOUR, start=start))
    demand = fitted(trace)
    assert any("has the wanted dates" in sentence for sentence in demand.said)
    days = hourly(demand, key("east")).reshape(-1, 24).mean(axis=1)
    assert np.all(np.diff(np.round(days / days[0], 1)) >= 0)
    assert days[-1] / days[0] == pytest.approx((10 + 16) / (10 + 2), rel=0.05)


def test_the_mix_falls_on_the_tiers(tmp_path: Path) -> None:
    wanted = WantedDemand(
        begins=TUESDAY, busy_replicas=20, seed=1, mix={Tier.BATCH: 3.0, Tier.INTERACTIVE_FAST: 1.0}
    )
    demand = fit_to_fleet(a_week(tmp_path), a_catalogue(), wanted)
    sums = {
        tier: np.nansum(demand.arrivals.by_demand[key("east", tier=tier)].offered) for tier in Tier
    }
    assert sums[Tier.INTERACTIVE_NORMAL] == 0
    assert sums[Tier.BATCH] / sums[Tier.INTERACTIVE_FAST] == pytest.approx(3, rel=0.05)
    assert any("batch 75%" in sentence for sentence in demand.said)


def test_the_level_may_be_that_of_the_run_alone(tmp_path: Path) -> None:
    """A history twice as busy as the day leaves the day's peak where it was wanted."""
    levels = [2.0] * 24 * 14 + [1.0] * 24 * 6
    start = TUESDAY - timedelta(days=15)
    trace = load_trace(series_file(tmp_path, {"service": levels}, step=HOUR, start=start))
    wanted = WantedDemand(begins=TUESDAY, busy_replicas=20, seed=1)
    of_all, of_run = (
        fit_to_fleet(trace, a_catalogue(), replace(wanted, level_of_run=run)).arrivals
        for run in (False, True)
    )
    sums = [np.nansum(arrivals.by_demand[key("west")].offered) for arrivals in (of_all, of_run)]
    assert sums[1] / sums[0] == pytest.approx(2, rel=0.05)
