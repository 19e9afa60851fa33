"""The page's picture says what the stores say, and tells missing from zero."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from heliostat.clock import SteppedClock
from heliostat.errors import UnknownModel, UnknownRegion, UnknownTier
from heliostat.model.demand import BUCKET
from heliostat.model.governance import Mode
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import EVERYWHERE, ModelName, SeriesKey, Tier, TokenKind
from services.dashboard.live import live_pulse
from services.dashboard.memory import LEAD, DemandMemory, ExpectationMemory
from services.dashboard.picture import Picture, Pulse, to_json
from services.dashboard.read_model import ReadModel
from services.dashboard.standing import CommandMemory, PoolMemory
from storage.memory import memory_stores
from tests.builders import NOON, a_demand, a_forecast
from tests.services.dashboard.a_day import FRAME, NOW, Day, a_filled_day, an_empty_day

BUCKETS_UNTIL_NOW = 15 * 4 + 1
LLAMA = ModelName("llama2-70b")


@pytest.fixture(scope="module")
def filled() -> Day:
    return a_filled_day()


@pytest.fixture(scope="module")
def picture(filled: Day) -> Picture:
    return filled.model.picture(filled.model.focus())


def test_an_empty_store_gives_a_picture_without_numbers() -> None:
    day = an_empty_day()
    picture = day.model.picture(day.model.focus())
    assert picture.plan is None
    assert picture.rivalry is None
    assert picture.mode is Mode.ADVISORY
    assert all(region.tokens_per_second is None for region in picture.regions)
    assert {
        value for lines in picture.load.values() for line in lines.values() for value in line
    } == {None}
    assert {pool.signal for pool in picture.pools} == {"missing"}


def test_load_is_shown_up_to_the_last_whole_bucket(picture: Picture) -> None:
    line = picture.load[picture.regions[0].name][LLAMA]
    assert len(line) == 96
    assert None not in line[:BUCKETS_UNTIL_NOW]
    assert set(line[BUCKETS_UNTIL_NOW:]) == {None}


def test_load_sums_the_tiers(filled: Day, picture: Picture) -> None:
    region = picture.regions[0].name
    demands = filled.stores.usage.demand(
        Span(NOW.replace(hour=9, minute=0), NOW.replace(hour=9, minute=15)), BUCKET
    )
    expected = sum(
        demand.tokens_per_second[0] or 0.0
        for demand in demands
        if demand.key.kind is TokenKind.INPUT
        and (demand.key.demand.origin, demand.key.demand.model) == (region, LLAMA)
    )
    assert picture.load[region][LLAMA][36] == pytest.approx(expected)


def test_regions_stand_under_their_own_sun(picture: Picture) -> None:
    assert [region.local_time for region in picture.regions] == [
        "Tue 10:20",
        "Tue 16:20",
        "Wed 00:20",
    ]


def test_commands_come_newest_first_and_are_counted_by_their_end(picture: Picture) -> None:
    assert picture.command_counts["refused"] == 2
    assert picture.command_counts["applied"] == 8
    assert picture.command_counts["expired"] == 0
    ids = [line.command_id for line in picture.commands]
    assert ids == sorted(ids, reverse=True)


def test_a_command_that_ends_between_two_looks_is_shown_as_ended() -> None:
    day = a_filled_day()
    before = day.model.picture(day.model.focus()).commands[0]
    day.stores.outbox.expire(NOW + timedelta(days=1), epoch=1)
    after = day.model.picture(day.model.focus()).commands[0]
    assert (before.command_id, before.state) == (after.command_id, "pending")
    assert after.state == "expired"


def test_routes_are_those_of_the_focused_model_and_tier(filled: Day) -> None:
    focus = filled.model.focus(model="bloom-176b", tier="batch")
    routes = filled.model.picture(focus).routes
    assert len(routes) == 3
    assert all(sum(route.shares.values()) + route.shed == pytest.approx(1) for route in routes)
    assert all(route.accepted for route in routes)


def test_the_band_of_a_bucket_was_issued_an_hour_before_it() -> None:
    stores = memory_stores(SteppedClock(NOON))
    lease = stores.leadership.acquire("me", "here", timedelta(hours=9))
    assert lease is not None
    key = SeriesKey(demand=a_demand(), kind=TokenKind.INPUT)
    for minutes, level in ((0, 100.0), (15, 200.0), (30, 300.0)):
        forecast = a_forecast(
            tokens_per_second=level, issued_at=NOON + timedelta(minutes=minutes), steps=16
        )
        stores.forecasts.store([forecast], epoch=lease.epoch)
    memory = ExpectationMemory(stores.forecasts, key)
    memory.read(Span(NOON, NOON + timedelta(days=1)), NOON + timedelta(minutes=30))
    assert memory.median[NOON + LEAD] == 100.0
    assert memory.median[NOON + LEAD + BUCKET] == 200.0
    assert memory.median[NOON + LEAD + 2 * BUCKET] == 300.0


def test_unknown_names_in_the_focus_are_refused(filled: Day) -> None:
    with pytest.raises(UnknownRegion):
        filled.model.focus(region="moon")
    with pytest.raises(UnknownModel):
        filled.model.focus(model="none")
    with pytest.raises(UnknownTier):
        filled.model.focus(tier="express")
    assert filled.model.focus().region == EVERYWHERE
    assert filled.model.focus().tier is Tier.INTERACTIVE_FAST


def test_a_picture_is_plain_json(picture: Picture) -> None:
    assert json.loads(json.dumps(to_json(picture), allow_nan=False))["pulse"]["now"]


def test_what_leaves_the_frame_is_forgotten() -> None:
    day = a_filled_day()
    later = NOW + timedelta(hours=12)
    frames = iter(
        (Span(NOW - timedelta(hours=2), NOW + timedelta(hours=1)), Span(later, later + BUCKET))
    )
    memory, pools = DemandMemory(day.stores.usage), PoolMemory(day.stores.plans)
    commands = CommandMemory(day.stores.outbox)
    plan = day.stores.plans.latest_plan()
    assert plan is not None
    for frame, now in zip(frames, (NOW, later), strict=True):
        memory.read(frame, now)
        pools.see(day.stores.fleet.fleet(now), plan.targets, now)
        pools.read(frame, now)
        commands.read(frame, now)
        kept = [*memory.series.values(), *pools.wanted.values(), *pools.ready.values()]
        assert kept
        assert all(start >= frame.start for buckets in kept for start in buckets)
        made = [command.created_at for command in commands.newest()]
        assert all(at >= frame.start for at in made)
        assert sum(commands.counts().values()) == len(made) == (8 if now == NOW else 0)


def test_what_was_wanted_is_read_from_the_plans_of_earlier_lives() -> None:
    day = a_filled_day()
    plan = day.stores.plans.latest_plan()
    assert plan is not None
    fresh = PoolMemory(day.stores.plans)
    fresh.read(FRAME, NOW)
    bucket = floor_to(plan.created_at, BUCKET)
    target = next(target for target in plan.targets if target.replicas)
    assert fresh.wanted[target.pool] == {bucket: target.replicas}


def test_however_many_ask_the_stores_are_read_once_while_the_picture_is_fresh() -> None:
    day = a_filled_day()
    looks: list[int] = []

    def pulse() -> Pulse:
        looks.append(1)
        return Pulse(now=NOW, frame=FRAME, speed=1.0, stage="live")

    stopped = [0.0]
    model = ReadModel(
        stores=day.stores,
        catalogue=day.catalogue,
        pulse=pulse,
        fresh_seconds=2.0,
        stopwatch=lambda: stopped[0],
    )
    first = model.picture(model.focus())
    assert model.picture(model.focus()) is first
    assert model.picture(model.focus(tier="batch")) is not first
    assert len(looks) == 2
    stopped[0] = 2.0
    assert model.picture(model.focus()) is not first


def test_the_live_frame_moves_with_the_clock() -> None:
    clock = SteppedClock(NOON + timedelta(minutes=7))
    pulse = live_pulse(clock)()
    assert pulse.now in pulse.frame
    assert pulse.speed == 1.0
    clock.advance_to(NOON + timedelta(hours=1))
    assert live_pulse(clock)().frame.start > pulse.frame.start
