"""The demo's small parts: settings, marks of both policies, counting, and the closing table."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from heliostat.clock import SteppedClock
from heliostat.errors import InvalidSettings
from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingAck
from services.dashboard.picture import DispatchDay
from services.demo.backfill import back_fill
from services.demo.counting import CountingRouting
from services.demo.demand import demo_demand, whole
from services.demo.figures import (
    Both,
    Figures,
    Routing,
    commands_by_state,
    latest_shared,
    usage_windows,
)
from services.demo.marks import Mark, policy_day, rivalry
from services.demo.settings import DemoSettings
from services.demo.summary import summary
from services.demo.witness import Tempo
from storage.memory import memory_stores
from tests.builders import NOON, a_catalogue

FRAME = Span(NOON, NOON + timedelta(hours=2))
FIGURES = Figures(
    usage_windows=12_345_678,
    forecasts=9_312,
    plans=97,
    commands=dict.fromkeys(
        ("pending", "leased", "applied", "refused", "expired", "cancelled"), 1234
    ),
    routing=Routing(versions=4320, acks=4319, nacks=1),
    dispatch=DispatchDay(
        dispatched=123_456,
        queued=23_456,
        other_region=12_345,
        shed=9_999,
        completed=120_000,
        judged=90_000,
        expected_ttft_seconds=12.345,
        simulated_ttft_seconds=None,
    ),
    gpu_hours_billed=Both(heliostat=1_234_567.8, reactive=2_345_678.9),
    slo_attainment=Both(heliostat=0.99871, reactive=None),
    cost_dollars=Both(heliostat=12_345_678.0, reactive=0.0),
    input=(),
    seed=1,
    hours=24,
    steps=97,
    wall_seconds=55.5,
)


def _mark(quarters: int, gpu_hours: float = 10.0, met: float = 9.0, judged: float = 10.0) -> Mark:
    return Mark(
        at=NOON + quarters * BUCKET,
        gpu_hours=gpu_hours * quarters,
        dollars=20.0 * quarters,
        judged=judged * quarters,
        met=met * quarters,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"hours": 0},
        {"hours": 25},
        {"speed": -1.0},
        {"step_minutes": 7},
        {"port": 70_000},
        {"busy_replicas": 0.0},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(wrong))):
        DemoSettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_a_watched_day_is_stepped_finer_than_a_headless_one() -> None:
    assert DemoSettings().step < DemoSettings(headless=True).step == BUCKET


def test_a_policys_quarters_are_the_differences_of_its_marks() -> None:
    day = policy_day([_mark(0), _mark(1), _mark(2)], FRAME, NOON + BUCKET)
    assert day.gpu_hours[:3] == (10.0, 10.0, None)
    assert day.attainment[:3] == (0.9, 0.9, None)
    assert (day.gpu_hours_total, day.attainment_total) == (10.0, 0.9)


def test_a_quarter_in_which_nothing_was_judged_has_no_attainment() -> None:
    day = policy_day([_mark(0, judged=0.0), _mark(1, met=0.0, judged=0.0)], FRAME, None)
    assert day.attainment[0] is None
    assert day.attainment_total is None


def test_totals_are_compared_at_the_instant_that_both_have_reached() -> None:
    both = rivalry([_mark(n) for n in range(3)], [_mark(n, 11.0) for n in range(8)], FRAME)
    assert both.until == NOON + 2 * BUCKET
    assert (both.heliostat.gpu_hours_total, both.reactive.gpu_hours_total) == (20.0, 22.0)
    assert both.reactive.gpu_hours[:3] == (11.0, 11.0, None)
    ours, theirs = latest_shared([_mark(n) for n in range(3)], [_mark(n) for n in range(8)])
    assert ours.at == theirs.at == both.until


def test_before_both_have_begun_nothing_is_compared() -> None:
    assert rivalry([_mark(0)], [], FRAME).until is None


def test_a_word_on_a_table_counts_once_however_often_it_is_heard() -> None:
    routing = CountingRouting(memory_stores(SteppedClock(NOON)).routing)
    for version, accepted in (("1", True), ("1", True), ("2", False)):
        ack = RoutingAck(
            origin=RegionName("east"), gateway_id="g", version=version, accepted=accepted, at=NOON
        )
        routing.acknowledge_tables([ack])
    assert (routing.acks, routing.nacks) == (1, 1)


def test_back_fill_stores_every_minute_and_folds_it() -> None:
    settings = DemoSettings(history_days=2)
    demand = demo_demand(settings, a_catalogue())
    stores = memory_stores(SteppedClock(settings.day_start))
    seen: list[int] = []
    stored = back_fill(stores.usage, demand.history, moved=seen.append, stopped=lambda: False)
    assert stored == seen[-1] == usage_windows(stores, demand.history.span)
    assert stores.usage.roll_up(settings.day_start) == 0
    (series, *_) = stores.usage.demand(demand.history.span, BUCKET)
    assert None not in series.tokens_per_second


def test_back_fill_stops_when_it_is_told_to() -> None:
    settings = DemoSettings(history_days=2)
    stores = memory_stores(SteppedClock(settings.day_start))
    demand = demo_demand(settings, a_catalogue())
    assert back_fill(stores.usage, demand.history, moved=lambda _: None, stopped=lambda: True) == 0


def test_history_and_day_join_without_a_seam() -> None:
    settings = DemoSettings(history_days=1)
    demand = demo_demand(settings, a_catalogue())
    joined = whole(demand)
    assert joined.span == Span(demand.history.start, demand.day.span.end)
    assert joined.within(demand.day.span).minutes == demand.day.minutes


def test_every_state_of_a_command_is_named_even_when_none_stands_in_it() -> None:
    assert set(commands_by_state(memory_stores(SteppedClock(NOON))).values()) == {0}


def test_time_stands_still_outside_the_day() -> None:
    tempo = Tempo(FRAME)
    assert (tempo.pulse().now, tempo.pulse().speed) == (FRAME.start, 0.0)
    for minutes in (0, 5):
        tempo.stepped(FRAME.start + timedelta(minutes=minutes))
    assert tempo.speed > 0
    assert tempo.pulse().now == FRAME.start + timedelta(minutes=5)
    tempo.stepped(FRAME.end)
    assert tempo.speed == 0.0


def test_the_closing_table_fits_eighty_columns() -> None:
    page = io.StringIO()
    Console(file=page, width=80, highlight=False).print(summary(FIGURES))
    lines = page.getvalue().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert any("requests within SLO" in line and "99.87%" in line for line in lines)


def test_the_figures_go_into_a_file_or_where_a_dash_stands_to_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    FIGURES.write(Path("day.json"))
    assert capsys.readouterr().out == ""
    FIGURES.write(Path("-"))
    said = capsys.readouterr().out
    assert json.loads(said) == json.loads(Path("day.json").read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["day.json"]
