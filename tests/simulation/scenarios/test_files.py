"""Scenarios in files: built, read back, recorded, of tenants; each the same under the same seed."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from heliostat.errors import (
    DataMissing,
    InvalidScenario,
    InvalidTrace,
    UnknownScenario,
)
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from simulation.scenarios.building import build_trace
from simulation.scenarios.figures import scenario_figures
from simulation.scenarios.finding import find_scenario
from simulation.scenarios.from_spec import scenario_in
from tests.builders import catalogue_mapping
from tests.simulation.requests.sources import everything, same
from tests.simulation.scenarios.files import spec_file
from tests.simulation.workload.samples import AZURE, requests_file, series_file, text_file

HOUR = timedelta(hours=1)


def test_a_built_trace_is_the_scenario_that_it_was_built_from(tmp_path: Path) -> None:
    eviction = {"after_hours": 5, "vm_type": "big", "vms": 1}
    troubles = {"east": {"outages": [{"after_hours": 3, "hours": 2}], "evictions": [eviction]}}
    spec = spec_file(tmp_path, troubles=troubles, usable_share=0.5, warm_vms={"small": 1})
    built = build_trace(spec, tmp_path / "little.parquet", seed=7)
    assert built.history == tmp_path / "little.history.parquet"
    from_spec, from_file = find_scenario(str(spec)), find_scenario(str(built.path))
    assert from_file.span == from_spec.span
    assert from_file.troubles == from_spec.troubles
    assert from_file.warm_vms == from_spec.warm_vms == {"small": 1}
    assert from_file.first_fleet(7) == from_spec.first_fleet(7)
    assert built.requests == len(everything(from_file.source(1)))
    assert same(everything(from_spec.source(7)), everything(from_file.source(1)))
    figures = [replace(scenario_figures(one, 7), said=()) for one in (from_spec, from_file)]
    assert figures[0] == figures[1]


def test_a_part_of_a_day_is_the_beginning_of_the_whole_one(tmp_path: Path) -> None:
    whole = scenario_in(spec_file(tmp_path)).source(1)
    part = scenario_in(spec_file(tmp_path, days=0.25))
    source = part.source(1)
    assert part.span == source.span == Span(whole.start, whole.start + 6 * HOUR)
    assert len(everything(source)) > 100
    assert same(everything(source), whole.between(source.span.start, source.span.end))
    assert source.history().span == whole.history().span
    built = build_trace(spec_file(tmp_path, days=0.25), tmp_path / "o.parquet", seed=1)
    assert find_scenario(str(built.path)).span == part.span


def test_recorded_requests_are_simulated_for_a_part_of_a_day(tmp_path: Path) -> None:
    path = requests_file(tmp_path, [float(second) for second in range(0, 7200, 60)])
    demand = {"kind": "requests", "path": path.name, "models": {"m": "beta"}}
    mapping = {
        "version": 1,
        "name": "r",
        "catalogue": "fleet.yaml",
        "days": 1 / 24,
        "demand": demand,
    }
    scenario = scenario_in(spec_file(tmp_path, mapping))
    assert scenario.span.length == HOUR
    assert len(everything(scenario.source(1))) == 60


def test_history_survives_being_built(tmp_path: Path) -> None:
    spec = spec_file(tmp_path)
    build_trace(spec, tmp_path / "o.parquet")
    before = scenario_in(spec).source(1).history()
    after = find_scenario(str(tmp_path / "o.parquet")).source(1).history()
    assert before.span == after.span
    for demand in before.demands:
        assert np.array_equal(before.by_demand[demand].offered, after.by_demand[demand].offered)


def test_the_same_spec_and_seed_build_the_same_bytes(tmp_path: Path) -> None:
    spec = spec_file(tmp_path)
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet", "c.parquet")]
    for path, seed in zip(paths, (3, 3, 4), strict=True):
        build_trace(spec, path, seed=seed)
    first, again, other = (pl.read_parquet(path) for path in paths)
    assert first.equals(again)
    assert not first.equals(other)


def test_a_build_tells_how_far_it_is(tmp_path: Path) -> None:
    spans: list[Span] = []
    told: list[tuple[int, float]] = []
    built = build_trace(
        spec_file(tmp_path),
        tmp_path / "o.parquet",
        on_begun=spans.append,
        on_written=lambda requests, seconds: told.append((requests, seconds)),
    )
    assert spans == [Span(built.begins, built.ends)]
    assert told[-1] == (built.requests, spans[0].length.total_seconds())


def test_a_build_replaces_neither_its_own_spec_nor_a_device(tmp_path: Path) -> None:
    spec = spec_file(tmp_path)
    before = spec.read_text()
    for target, told in ((spec, "the scenario file itself"), (Path(os.devnull), "is not a file")):
        with pytest.raises(InvalidTrace, match=told):
            build_trace(spec, target)
    assert spec.read_text() == before


def test_a_built_trace_without_its_history_says_where_it_should_lie(tmp_path: Path) -> None:
    build_trace(spec_file(tmp_path), tmp_path / "o.parquet")
    (tmp_path / "o.history.parquet").unlink()
    with pytest.raises(
        DataMissing, match=r"o.history.parquet, which does not exist; put it beside"
    ):
        find_scenario(str(tmp_path / "o.parquet"))


def test_a_built_trace_has_an_ending_by_which_it_is_found(tmp_path: Path) -> None:
    """Another ending would also write over the history of a trace of that stem."""
    with pytest.raises(InvalidTrace, match=r"call it mine\.parquet"):
        build_trace(spec_file(tmp_path), tmp_path / "mine.csv")
    assert not list(tmp_path.glob("mine*"))


def test_some_other_trace_needs_a_fleet(tmp_path: Path) -> None:
    path = requests_file(tmp_path, [0.0, 1.0])
    with pytest.raises(InvalidScenario, match=r"is a trace without a fleet; use it in a scenario"):
        find_scenario(str(path))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("week-end", r"built in are week, .*scenario file"),
        ("trace.csv", r"a trace becomes a scenario in a file .*kind: requests, path: trace.csv"),
        ("gone.yaml", r"there is no such file in .*"),
        ("gone.parquet", r"there is no such file in .*"),
    ],
)
def test_what_is_neither_built_in_nor_a_file_of_ours_is_told_what_it_would_have_to_be(
    tmp_path: Path, name: str, remedy: str
) -> None:
    text_file(tmp_path, "trace.csv", AZURE)
    with pytest.raises(UnknownScenario, match=remedy):
        find_scenario(str(tmp_path / name))


def test_recorded_requests_are_simulated_as_they_were(tmp_path: Path) -> None:
    """Two days: one is history, the other simulated."""
    path = requests_file(tmp_path, [float(second) for second in range(0, 2 * 86_400, 60)])
    spec = spec_file(
        tmp_path,
        {
            "version": 1,
            "name": "recorded",
            "catalogue": "fleet.yaml",
            "history_days": 1,
            "demand": {"kind": "requests", "path": path.name, "models": {"m": "beta"}},
        },
    )
    scenario = scenario_in(spec)
    source = scenario.source(1)
    assert scenario.span.length == timedelta(days=1)
    assert len(everything(source)) == 1440
    assert sum(c.offered.sum() for c in source.history().by_demand.values()) == 1440
    assert {source.demands[place].model for place in everything(source).demand} == {"beta"}
    assert scenario.said == (
        "2,880 requests of requests.parquet as they were recorded.",
        "Origins and tiers missing in requests.parquet are drawn by seed.",
    )


OWN = """\
arrival,input_tokens,output_tokens,model,origin,tier
{0},900,60,chat,east,interactive-fast
{1},1200,80,alpha,west,batch
"""


def own_requests(folder: Path, text: str, **demand: object) -> Path:
    """A scenario of requests that somebody wrote down."""
    text_file(folder, "mine.csv", text)
    asked = {"kind": "requests", "path": "mine.csv", "models": {"chat": "beta"}} | demand
    mapping = {"version": 1, "name": "mine", "catalogue": "fleet.yaml", "demand": asked}
    return spec_file(folder, mapping)


def test_requests_of_a_csv_are_simulated_and_nothing_is_said_to_be_drawn_that_is_not(
    tmp_path: Path,
) -> None:
    text = OWN.format("2026-02-06T10:00:05Z", "2026-02-06T10:01:06.5Z")
    scenario = find_scenario(str(own_requests(tmp_path, text)))
    source = scenario.source(1)
    found = everything(source)
    assert source.start == datetime(2026, 2, 6, 10, tzinfo=UTC)
    assert found.arrival_seconds.tolist() == [5.0, 66.5]
    assert [str(source.demands[place]) for place in found.demand] == [
        "east/beta/interactive-fast",
        "west/alpha/batch",
    ]
    assert scenario.said == ("2 requests of mine.csv as they were recorded.",)


def test_a_start_that_no_file_tells_is_said_to_be_assumed(tmp_path: Path) -> None:
    scenario = find_scenario(str(own_requests(tmp_path, OWN.format(0, 61))))
    assert scenario.said[1:] == (
        "mine.csv has no recording time: 2026-03-02T00:00Z, a Monday, is assumed.",
    )


def test_a_run_without_a_whole_hour_has_requests_and_no_busiest_hour(tmp_path: Path) -> None:
    figures = scenario_figures(find_scenario(str(own_requests(tmp_path, OWN.format(0, 61)))), 1)
    assert figures.requests == 2
    assert {model.busy_peak for model in figures.models} == {None}


def test_a_bad_row_is_told_with_what_leaves_it_out_of_a_scenario(tmp_path: Path) -> None:
    text = OWN.format(0, 61) + "62,-1,1,alpha,east,batch\n"
    with pytest.raises(InvalidTrace, match=r"mine.csv:4: .*set `skip_bad_rows: true` under demand"):
        find_scenario(str(own_requests(tmp_path, text)))
    scenario = find_scenario(str(own_requests(tmp_path, text, skip_bad_rows=True)))
    assert len(everything(scenario.source(1))) == 2


def test_a_trace_that_is_too_short_is_told(tmp_path: Path) -> None:
    path = requests_file(tmp_path, [0.0, 60.0])
    demand = {"kind": "requests", "path": path.name, "models": {"m": "beta"}}
    mapping = {"version": 1, "name": "r", "catalogue": "fleet.yaml", "days": 2, "demand": demand}
    told = (
        r"07T16:00Z to 2025-04-07T16:02Z, too short for 0 days of history and 2 to simulate; lower"
    )
    with pytest.raises(InvalidScenario, match=told):
        scenario_in(spec_file(tmp_path, mapping))


def test_tenants_of_a_series_file_keep_holes_and_weekdays(tmp_path: Path) -> None:
    hours = [100.0 + 50 * (hour % 24 >= 8) for hour in range(24 * 10)]
    hours[24 * 5 + 6] = float("nan")
    values = {f"tenant-{i}": [h * (i + 1) for h in hours] for i in range(4)}
    series_file(tmp_path, values, step=HOUR)
    demand = {"kind": "series", "busy_replicas": 1, "files": [{"path": "series.parquet"}]}
    scenario = scenario_in(
        spec_file(tmp_path, demand=demand, begins="2025-04-05T00:00Z", days=2, history_days=3)
    )
    assert any("has the wanted dates" in sentence for sentence in scenario.said)
    source = scenario.source(1)
    hidden = [
        at
        for at in source.span.steps(timedelta(minutes=1))
        if not source.known(RegionName("east"), at)
    ]
    assert len(hidden) == 60
    found = source.between(hidden[0], hidden[0] + HOUR)
    assert "east" not in {source.demands[place].origin for place in found.demand}


def test_a_region_without_a_quota_is_told(tmp_path: Path) -> None:
    path = spec_file(tmp_path)
    fleet = catalogue_mapping()
    fleet["regions"][1]["vm_types"] = {"small": {"quota": 0, "on_demand": 1.0}}
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet), "utf-8")
    with pytest.raises(InvalidScenario, match="little: west has no quota for any VM type"):
        scenario_in(path)


def test_a_demand_that_nobody_may_serve_is_told(tmp_path: Path) -> None:
    path = spec_file(tmp_path)
    fleet = catalogue_mapping()
    for model in fleet["models"]:
        model["tiers"]["batch"] = {**model["tiers"]["batch"], "residency": ["moon"]}
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet), "utf-8")
    with pytest.raises(InvalidScenario, match="east/alpha/batch cannot be served"):
        scenario_in(path)


def test_broken_notes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "o.parquet"
    rows = pl.DataFrame({"arrival_s": [0.0], "input_tokens": [1], "output_tokens": [1]})
    rows.write_parquet(path, metadata={"scenario": '{"version": 1}'})
    with pytest.raises(InvalidScenario, match=r"o.parquet: scenario.name"):
        find_scenario(str(path))


def test_a_history_of_another_fleet_is_refused(tmp_path: Path) -> None:
    build_trace(spec_file(tmp_path), tmp_path / "o.parquet")
    history = pl.read_parquet(tmp_path / "o.history.parquet")
    history.filter(pl.col("series_id") != "east/alpha/batch").write_parquet(
        tmp_path / "o.history.parquet"
    )
    with pytest.raises(InvalidTrace, match="does not have the 12 demands"):
        find_scenario(str(tmp_path / "o.parquet"))
