"""What every usage history promises (heliostat.ports.history)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliostat.errors import InvalidInput, SequenceGap
from heliostat.model.instants import Span, from_epoch
from heliostat.model.latency import LatencySketch
from heliostat.model.names import EVERYWHERE, RegionName, Tier, TokenKind
from heliostat.model.usage import UsageBucket, UsageQuery, UsageWindow
from tests.contracts.builders import (
    EU,
    HOUR,
    LLAMA,
    MINUTE,
    QUARTER,
    QWEN,
    US,
    at,
    batch,
    demand_key,
    series,
    span,
    window,
)
from tests.contracts.worlds import World


def only_bucket(world: World, minutes: int = 15) -> UsageBucket:
    (found,) = world.stores.usage.query(UsageQuery(span=span(minutes)))
    return found


def everything(world: World) -> tuple[UsageBucket, ...]:
    return world.stores.usage.query(UsageQuery(span=span(60), bucket=MINUTE))


def test_an_empty_history_answers_with_nothing(world: World) -> None:
    usage = world.stores.usage
    assert usage.query(UsageQuery(span=span(60))) == ()
    assert usage.net_offered(span(60)) == {}
    assert usage.demand(span(60), QUARTER) == ()
    assert usage.demand(span(0), QUARTER) == ()
    assert usage.token_mixes(span(60)) == ()
    assert usage.watermark(at(0)) == {}
    assert usage.first_window() is None
    assert usage.minutes_kept_from() == from_epoch(0)
    assert usage.durable_sequence("nobody", 1) == 0
    assert usage.roll_up(at(60)) == 0
    assert usage.prune(at(60), at(60)) == 0
    assert usage.record([]) == ()


def test_what_is_recorded_is_found_whole(world: World) -> None:
    sketch = LatencySketch.of([0.1, 0.2, 3.0])
    world.stores.usage.record(
        [batch(window(0, rejected=2, offered=12, retried=1, ttft=sketch, e2e=LatencySketch()))]
    )
    assert only_bucket(world) == UsageBucket(
        series=series(),
        start=at(0),
        windows=1,
        offered=12,
        admitted=10,
        rejected=2,
        retried=1,
        completed=10,
        input_tokens=1000,
        output_tokens=500,
        ttft=sketch,
        itl=None,
        e2e=LatencySketch(),
    )


def test_a_receipt_says_how_far_the_source_is_durable(world: World) -> None:
    usage = world.stores.usage
    first, second = usage.record([batch(window(0)), batch(window(1), sequence=2)])
    assert (first.durable_sequence, second.durable_sequence) == (1, 2)
    assert not second.replayed
    assert usage.durable_sequence("gateway-1", 1) == 2


def test_a_replay_changes_nothing(world: World) -> None:
    usage = world.stores.usage
    usage.record([batch(window(0))])
    before = everything(world)
    (receipt,) = usage.record([batch(window(0, offered=99, revision=9))])
    assert receipt.replayed
    assert receipt.durable_sequence == 1
    assert everything(world) == before


def test_a_gap_in_the_sequence_stores_nothing_of_the_call(world: World) -> None:
    usage = world.stores.usage
    usage.record([batch(window(0))])
    with pytest.raises(SequenceGap) as gap:
        usage.record([batch(window(1), source="gateway-2"), batch(window(1), sequence=3)])
    assert gap.value.expected == 2
    assert only_bucket(world).windows == 1
    assert usage.durable_sequence("gateway-2", 1) == 0


def test_a_restarted_source_begins_anew_anywhere(world: World) -> None:
    usage = world.stores.usage
    usage.record([batch(window(0), sequence=7)])
    usage.record([batch(window(1), incarnation=2, sequence=3)])
    assert usage.durable_sequence("gateway-1", 1) == 7
    assert usage.durable_sequence("gateway-1", 2) == 3
    with pytest.raises(SequenceGap):
        usage.record([batch(window(2), incarnation=2, sequence=5)])


def test_a_higher_revision_replaces_and_a_lower_or_equal_one_changes_nothing(world: World) -> None:
    usage = world.stores.usage
    usage.record([batch(window(0, output_tokens=None, completed=0, revision=2))])
    usage.record([batch(window(0, output_tokens=700, revision=3), sequence=2)])
    usage.record([batch(window(0, output_tokens=1, revision=3), sequence=3)])
    usage.record([batch(window(0, output_tokens=2, revision=1), sequence=4)])
    assert only_bucket(world).output_tokens == 700


def test_two_revisions_in_one_call_leave_the_higher(world: World) -> None:
    news = [window(0, offered=11, revision=2), window(0, offered=12, revision=1)]
    world.stores.usage.record([batch(*news), batch(window(0, offered=13, revision=3), sequence=2)])
    assert only_bucket(world).offered == 13


def test_two_sources_of_one_window_both_count(world: World) -> None:
    sketch = LatencySketch.of([0.5])
    world.stores.usage.record(
        [batch(window(0, ttft=sketch)), batch(window(0, ttft=sketch), source="gateway-2")]
    )
    found = only_bucket(world)
    assert (found.windows, found.offered, found.input_tokens) == (2, 20, 2000)
    assert found.ttft == sketch.merge(sketch)


def test_not_measured_is_not_zero(world: World) -> None:
    usage = world.stores.usage
    usage.record([batch(window(0, input_tokens=None, output_tokens=None))])
    found = only_bucket(world)
    assert (found.input_tokens, found.output_tokens) == (None, None)
    assert (found.windows_without_input, found.windows_without_output) == (1, 1)
    usage.record([batch(window(1, input_tokens=0, output_tokens=5), sequence=2)])
    found = only_bucket(world)
    assert (found.input_tokens, found.output_tokens) == (0, 5)
    assert (found.windows_without_input, found.windows_without_output) == (1, 1)


def test_filters_pick_series_and_buckets_count_from_the_span(world: World) -> None:
    other = series(US, EU, QWEN, Tier.BATCH)
    world.stores.usage.record([batch(window(5), window(12), window(6, of=other))])
    usage = world.stores.usage
    asked = UsageQuery(span=span(20, start=5), bucket=5 * MINUTE)
    assert [(b.start, b.series) for b in usage.query(asked)] == [
        (at(5), series()),
        (at(5), other),
        (at(10), series()),
    ]
    for chosen in (
        {"origins": frozenset({US})},
        {"models": frozenset({QWEN})},
        {"tiers": frozenset({Tier.BATCH})},
    ):
        assert [b.series for b in usage.query(replace(asked, **chosen))] == [other]
    assert len(usage.query(replace(asked, servings=frozenset({EU})))) == 3
    assert usage.query(replace(asked, servings=frozenset({US}))) == ()


def test_a_span_that_begins_inside_a_minute_holds_the_minutes_that_begin_in_it(
    world: World,
) -> None:
    world.stores.usage.record([batch(*(window(minute) for minute in range(6)))])
    late = Span(at(0) + timedelta(seconds=14), at(4) + timedelta(seconds=14))
    found = world.stores.usage.query(UsageQuery(span=late, bucket=2 * MINUTE))
    assert [(bucket.start - late.start, bucket.windows) for bucket in found] == [
        (0 * MINUTE, 2),
        (2 * MINUTE, 2),
    ]


def test_latency_comes_only_when_asked_for(world: World) -> None:
    world.stores.usage.record([batch(window(0, ttft=LatencySketch.of([1])))])
    (found,) = world.stores.usage.query(UsageQuery(span=span(15), with_latency=False))
    assert found.ttft is None


# --- any order, any replay -----------------------------------------------------------------------

_windows = st.builds(
    lambda minute, revision, offered, measured, origin: window(
        minute,
        of=series(origin),
        revision=revision,
        offered=offered + 10,
        input_tokens=revision * 100 if measured else None,
        ttft=LatencySketch.of([offered + 0.5]),
    ),
    st.integers(0, 20),
    st.integers(1, 3),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from([EU, US]),
)


_FRESH = itertools.count(1)
"""Examples share one store, so each speaks as sources that nobody heard of before."""


def _consistent(windows: list[UsageWindow]) -> list[UsageWindow]:
    """A source tells one story: one revision of a window has one content."""
    return list({(w.series, w.start, w.revision): w for w in windows}.values())


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), told=st.lists(_windows, min_size=1, max_size=8).map(_consistent))
def test_any_order_and_any_replay_gives_the_same_sums(
    world: World, data: st.DataObject, told: list[UsageWindow]
) -> None:
    usage = world.stores.usage
    source = f"source-{next(_FRESH)}"
    mine = series(EU, model=LLAMA)

    def told_by(name: RegionName, order: list[UsageWindow]) -> tuple[UsageBucket, ...]:
        """What the history sums up once a source that serves in a region of its own has spoken."""
        apart = [replace(w, series=replace(w.series, serving=name)) for w in order]
        for sequence, one in enumerate(apart, 1):
            usage.record([batch(one, source=name, sequence=sequence)])
            usage.record([batch(one, source=name, sequence=data.draw(st.integers(1, sequence)))])
        asked = UsageQuery(span=span(60), bucket=MINUTE, servings=frozenset({name}))
        return tuple(replace(bucket, series=mine) for bucket in usage.query(asked))

    shuffled = data.draw(st.permutations(told)) + data.draw(st.lists(st.sampled_from(told)))
    straight, mixed = (
        told_by(RegionName(f"{source}-a"), told),
        told_by(RegionName(f"{source}-b"), shuffled),
    )
    key = lambda bucket: (bucket.start, bucket.offered, str(bucket.input_tokens))  # noqa: E731  # read once, two lines below
    assert sorted(straight, key=key) == sorted(mixed, key=key)


# --- demand --------------------------------------------------------------------------------------


def rates(world: World, minutes: int = 15, **key: Any) -> Sequence[float | None]:
    wanted = demand_key(**key)
    demand = world.stores.usage.demand(span(minutes), QUARTER)
    (found,) = [one for one in demand if one.key == wanted]
    return found.tokens_per_second


def report(world: World, *windows: UsageWindow, source: str = "gateway-1") -> None:
    """One batch more of a source."""
    sequence = world.stores.usage.durable_sequence(source, 1) + 1
    world.stores.usage.record([batch(*windows, source=source, sequence=sequence)])


def quarter(*, origin: RegionName = EU, start: int = 0, **columns: Any) -> list[UsageWindow]:
    return [window(start + m, of=series(origin), **columns) for m in range(15)]


def test_demand_is_offered_tokens_per_second_with_the_peak_minute(world: World) -> None:
    report(world, *quarter()[1:], window(0, input_tokens=7000))
    (found,) = [d for d in world.stores.usage.demand(span(15), QUARTER) if d.key == demand_key()]
    assert found.start == at(0)
    assert found.tokens_per_second == pytest.approx((21000 / 900,))
    assert found.peak_tokens_per_second == pytest.approx((7000 / 60,))


def test_shed_requests_want_output_too(world: World) -> None:
    report(world, *quarter(offered=20, rejected=10, input_tokens=2000))
    assert rates(world, kind=TokenKind.OUTPUT) == pytest.approx((1000 / 60,))


def test_a_bucket_in_which_all_was_shed_takes_the_mean_output_of_the_span(world: World) -> None:
    shed: dict[str, Any] = {"admitted": 0, "rejected": 10, "completed": 0, "output_tokens": 0}
    report(world, *quarter(), *quarter(start=15, **shed))
    assert rates(world, 30, kind=TokenKind.OUTPUT) == pytest.approx((500 / 60, 500 / 60))


def test_retries_are_not_demand(world: World) -> None:
    report(world, *quarter(offered=20, retried=10, rejected=10, input_tokens=2000))
    assert rates(world) == pytest.approx((1000 / 60,))
    assert rates(world, kind=TokenKind.OUTPUT) == pytest.approx((500 / 60,))


def test_offered_requests_are_told_by_the_minute_from_all_sources_without_their_retries(
    world: World,
) -> None:
    other = series(model=QWEN)
    report(world, window(0, offered=50, retried=20), window(1, offered=17), source="one")
    idle = window(2, of=other, offered=0, admitted=0, completed=0)
    report(world, window(0), idle, source="two")
    found = world.stores.usage.net_offered(span(15))
    assert found == {series().demand: {at(0): 40, at(1): 17}, other.demand: {at(2): 0}}


def test_only_minutes_that_begin_in_the_span_are_told(world: World) -> None:
    report(world, *(window(minute, offered=minute + 10) for minute in range(4)))
    asked = Span(at(1) - timedelta(seconds=30), at(3) - timedelta(seconds=30))
    assert world.stores.usage.net_offered(asked) == {series().demand: {at(1): 11, at(2): 12}}
    assert world.stores.usage.net_offered(span(1)) == {series().demand: {at(0): 10}}


def test_a_series_absent_from_a_reported_minute_is_a_true_zero(world: World) -> None:
    quiet = [window(m, of=series(model=QWEN)) for m in range(15, 30)]
    report(world, *quarter(), *quiet)
    assert rates(world, 30) == pytest.approx((1000 / 60, 0.0))


def test_a_bucket_with_fewer_than_half_its_minutes_is_missing(world: World) -> None:
    report(world, *quarter()[:7], *quarter(start=15)[:8])
    assert rates(world, 30) == pytest.approx((None, 1000 / 60))


def test_output_that_was_not_measured_is_missing_while_input_stands(world: World) -> None:
    unmeasured = quarter(output_tokens=None)
    report(world, *unmeasured, *quarter(start=15))
    assert rates(world, 30, kind=TokenKind.OUTPUT) == pytest.approx((None, 500 / 60))
    assert rates(world, 30) == pytest.approx((1000 / 60, 1000 / 60))


def test_an_aggregate_sums_origins_and_is_missing_when_one_is(world: World) -> None:
    report(world, *quarter(), *quarter(start=15), *quarter(origin=US))
    assert rates(world, 30, origin=EVERYWHERE) == pytest.approx((2000 / 60, None))
    assert rates(world, 30, origin=US) == pytest.approx((1000 / 60, None))


def days(count: int) -> int:
    """In minutes."""
    return count * 24 * 60


def day(world: World, number: int) -> tuple[float | None, float | None]:
    """The first quarter of a day, everywhere and in the US; day 0 begins at T0."""
    asked = Span(at(days(number)), at(days(number) + 15))
    demand = {one.key: one for one in world.stores.usage.demand(asked, QUARTER)}
    (whole,), (us,) = (demand[demand_key(o)].tokens_per_second for o in (EVERYWHERE, US))
    return whole, us


def test_an_origin_that_was_closed_down_stops_to_hold_aggregates_back_after_three_days(
    world: World,
) -> None:
    report(world, *quarter(origin=US))
    for number in range(5):
        report(world, *quarter(start=days(number)))
    assert day(world, 0) == pytest.approx((2000 / 60, 1000 / 60))
    assert day(world, 3) == (None, None), "it may still report these minutes"
    assert day(world, 4) == pytest.approx((1000 / 60, None))


def test_an_origin_that_came_later_holds_aggregates_of_three_days_before_it_back(
    world: World,
) -> None:
    for number in range(6):
        report(world, *quarter(start=days(number)))
    report(world, *quarter(origin=US, start=days(5)))
    assert day(world, 1) == pytest.approx((1000 / 60, None))
    assert day(world, 2) == (None, None), "what it reports of these minutes may be on its way"
    assert day(world, 5) == pytest.approx((2000 / 60, 1000 / 60))


def test_an_origin_that_was_silent_for_long_and_reports_again_was_missing_all_the_time(
    world: World,
) -> None:
    for number in range(6):
        report(world, *quarter(start=days(number)))
    report(world, *quarter(origin=US), *quarter(origin=US, start=days(5)))
    assert day(world, 4) == (None, None)
    assert day(world, 5) == pytest.approx((2000 / 60, 1000 / 60))


def test_what_nobody_reported_is_missing_however_long_ago_it_was(world: World) -> None:
    report(world, *quarter(), *quarter(origin=US))
    assert day(world, 9) == (None, None)


def test_the_peak_of_an_aggregate_is_the_peak_of_the_sum(world: World) -> None:
    eu = [window(m, input_tokens=6000 if m == 0 else 0) for m in range(15)]
    us = [window(m, of=series(US), input_tokens=6000 if m == 9 else 0) for m in range(15)]
    report(world, *eu, *us)
    demand = {d.key: d for d in world.stores.usage.demand(span(15), QUARTER)}
    assert demand[demand_key(EVERYWHERE)].peak_tokens_per_second == pytest.approx((100.0,))


def test_a_series_that_never_had_traffic_is_no_demand(world: World) -> None:
    nothing: dict[str, Any] = {
        "offered": 0,
        "admitted": 0,
        "completed": 0,
        "input_tokens": 0,
        "output_tokens": 0,
    }
    report(world, *quarter(**nothing))
    assert world.stores.usage.demand(span(15), QUARTER) == ()


def test_demand_on_a_finer_and_on_a_coarser_grid(world: World) -> None:
    report(world, *[window(m, input_tokens=600 * (m + 1)) for m in range(60)])
    fine = world.stores.usage.demand(span(10, start=5), 5 * MINUTE)
    coarse = world.stores.usage.demand(span(60), HOUR)
    found = {d.key: d for d in fine}[demand_key()]
    assert found.tokens_per_second == pytest.approx((80.0, 130.0))
    assert found.peak_tokens_per_second == pytest.approx((100.0, 150.0))
    assert {d.key: d for d in coarse}[demand_key()].tokens_per_second == pytest.approx((305.0,))


def test_demand_off_whole_minutes_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput):
        world.stores.usage.demand(span(15), MINUTE / 2)


def test_token_mixes_are_means_of_what_was_measured(world: World) -> None:
    report(
        world,
        window(0),
        window(1, input_tokens=None, output_tokens=1500),
        window(2, of=series(US), output_tokens=None),
        window(3, of=series(model=QWEN), output_tokens=None),
    )
    found = {mix.origin: mix for mix in world.stores.usage.token_mixes(span(17))}
    assert set(found) == {EVERYWHERE, EU}, "US measured no output"
    for mix in found.values():
        assert (mix.model, mix.tier) == (LLAMA, Tier.INTERACTIVE_FAST)
    mix = found[EVERYWHERE]
    assert (mix.input_tokens, mix.output_tokens, mix.requests) == (100.0, 100.0, 20)


def test_token_mixes_are_told_of_every_origin_and_of_all_together(world: World) -> None:
    report(world, window(0, input_tokens=1000), window(0, of=series(US), input_tokens=5000))
    usage = world.stores.usage
    found = {mix.origin: mix for mix in usage.token_mixes(span(15))}
    assert set(found) == {EVERYWHERE, EU, US}
    assert found[US].input_tokens == 5 * found[EU].input_tokens
    assert found[EVERYWHERE].input_tokens == 3 * found[EU].input_tokens
    assert usage.roll_up(at(15)) > 0
    assert {mix.origin: mix for mix in usage.token_mixes(span(15))} == found


# --- watermarks, roll-ups, retention ----------------------------------------------------------------


def test_the_watermark_is_held_by_the_slowest_live_source(world: World) -> None:
    report(world, window(0), window(8))
    report(world, window(5), source="gateway-2")
    report(world, window(0, of=series(US)), source="gateway-3")
    assert world.stores.usage.watermark(at(10)) == {EU: at(6), US: at(1)}
    assert world.stores.usage.watermark(at(12)) == {EU: at(6)}
    assert world.stores.usage.watermark(at(17)) == {EU: at(9)}


def varied(minutes: int) -> list[UsageWindow]:
    """Windows of two origins with holes, shed load, unmeasured tokens and latencies."""
    return [
        window(
            m,
            of=series(origin, serving),
            offered=20 + m % 7,
            rejected=m % 5,
            retried=m % 3,
            completed=9 if m % 11 else 0,
            input_tokens=None if m % 13 == 0 else 37 * m + 1,
            output_tokens=None if m % 4 == 0 else 11 * m + 1,
            ttft=LatencySketch.of([0.01 * (m + 1), 2.0]) if m % 3 else None,
        )
        for origin, serving in ((EU, EU), (EU, US), (US, US))
        for m in range(minutes)
        if not (origin == US and 20 <= m < 40)
    ]


def test_roll_up_and_retention_change_no_answer(world: World) -> None:
    usage = world.stores.usage
    report(world, *varied(60))
    asked = UsageQuery(span=span(60))
    hour = UsageQuery(span=span(60), bucket=HOUR)

    def answers() -> tuple[object, ...]:
        demand = usage.demand(span(60), QUARTER), usage.demand(span(60), HOUR)
        return usage.query(asked), usage.query(hour), *demand, usage.token_mixes(span(60))

    before = answers()
    assert usage.roll_up(at(60)) == 12
    assert answers() == before
    assert usage.prune(at(45), at(0)) == 3 * 45 - 20
    assert answers() == before
    assert usage.first_window() == at(0)


def test_windows_alike_give_the_same_demand_to_the_last_bit_on_every_store(world: World) -> None:
    """Parity of live and simulated wiring rests on this; the figures were taken once."""
    report(world, *varied(30))
    demand = {str(d.key): d for d in world.stores.usage.demand(span(30), QUARTER)}
    found = demand["eu/llama/interactive-fast/output"]
    assert [rate.hex() for rate in found.tokens_per_second if rate] == [
        "0x1.d219a34f1d0d1p+2",
        "0x1.5a5e353f7ced8p+4",
    ]


def test_what_comes_after_the_roll_up_is_rolled_up_again(world: World) -> None:
    usage = world.stores.usage
    report(world, *quarter())
    assert usage.roll_up(at(15)) == 1
    assert usage.roll_up(at(15)) == 0
    report(world, window(3, input_tokens=16_000, revision=2))
    assert rates(world) == pytest.approx((30_000 / 900,))
    assert usage.roll_up(at(15)) == 1
    usage.prune(at(15), at(0))
    assert rates(world) == pytest.approx((30_000 / 900,))
    assert only_bucket(world).input_tokens == 30_000


def test_late_windows_of_one_demand_leave_the_others_as_they_were_rolled_up(world: World) -> None:
    usage = world.stores.usage
    others = [replace(one, series=replace(one.series, model=QWEN)) for one in varied(45)]
    report(world, *varied(45), *others)
    usage.roll_up(at(45))
    report(world, *(replace(one, revision=2, completed=4) for one in varied(60)[::5]))

    def answers() -> tuple[object, ...]:
        return usage.demand(span(60), QUARTER), usage.token_mixes(span(60))

    before = answers()
    assert usage.roll_up(at(60)) > 0
    assert answers() == before
    assert usage.prune(at(60), at(0)) > 0
    assert answers() == before


def test_open_buckets_are_not_rolled_up_and_not_pruned(world: World) -> None:
    usage = world.stores.usage
    report(world, *quarter(), *quarter(start=15))
    assert usage.roll_up(at(29)) == 1
    assert usage.prune(at(60), at(0)) == 15
    assert len(everything_after(world, 15)) == 15


def everything_after(world: World, minute: int) -> tuple[UsageBucket, ...]:
    return world.stores.usage.query(UsageQuery(span=span(60, start=minute), bucket=MINUTE))


def test_minutes_that_retention_took_can_be_asked_for_by_the_quarter_only(world: World) -> None:
    usage = world.stores.usage
    report(world, *quarter(), *quarter(start=15))
    usage.roll_up(at(30))
    usage.prune(at(15), at(0))
    with pytest.raises(InvalidInput):
        usage.query(UsageQuery(span=span(30), bucket=MINUTE))
    with pytest.raises(InvalidInput):
        usage.query(UsageQuery(span=span(30, start=5)))
    with pytest.raises(InvalidInput):
        usage.demand(span(30), MINUTE)
    assert len(usage.query(UsageQuery(span=span(30)))) == 2


def test_from_when_on_minutes_are_kept_is_told_to_the_quarter_and_never_moves_back(
    world: World,
) -> None:
    usage = world.stores.usage
    report(world, *quarter(), *quarter(start=15), *quarter(start=30))
    assert usage.minutes_kept_from() == from_epoch(0)
    usage.roll_up(at(30))
    usage.prune(at(29), at(0))
    assert usage.minutes_kept_from() == at(15)
    assert len(everything_after(world, 15)) == 30
    usage.prune(at(60), at(0))
    assert usage.minutes_kept_from() == at(30), "what is not rolled up is kept"
    usage.prune(at(15), at(0))
    assert usage.minutes_kept_from() == at(30)
    with pytest.raises(InvalidInput):
        everything_after(world, 29)


def test_a_window_that_comes_after_retention_changes_nothing(world: World) -> None:
    usage = world.stores.usage
    report(world, *quarter())
    usage.roll_up(at(15))
    usage.prune(at(15), at(0))
    report(world, window(3, input_tokens=16_000, revision=2), window(20))
    assert usage.durable_sequence("gateway-1", 1) == 2
    usage.roll_up(at(30))
    assert rates(world) == pytest.approx((1000 / 60,))
    assert len(everything_after(world, 15)) == 1


def test_old_roll_ups_go_when_told(world: World) -> None:
    usage = world.stores.usage
    report(world, *quarter(), *quarter(start=15))
    usage.roll_up(at(30))
    assert usage.prune(at(30), at(15)) == 31
    assert usage.first_window() == at(15)
    assert rates(world, 30) == pytest.approx((None, 1000 / 60))


def test_the_first_window_is_known_in_any_form(world: World) -> None:
    report(world, window(7), window(3, of=series(US)))
    assert world.stores.usage.first_window() == at(3)


def test_the_first_window_is_told_to_the_minute_while_its_minutes_are_kept(world: World) -> None:
    usage = world.stores.usage
    report(world, window(3), window(22))
    usage.roll_up(at(30))
    assert usage.first_window() == at(3)
    usage.prune(at(15), at(0))
    assert usage.first_window() == at(0), "rolled up: of the quarter of an hour from then"
    usage.prune(at(15), at(15))
    assert usage.first_window() == at(22)


def keys_with_demand(world: World) -> set[str]:
    return {str(one.key.demand) for one in world.stores.usage.demand(span(30), QUARTER)}


def test_traffic_that_comes_after_retention_makes_no_demand(world: World) -> None:
    usage = world.stores.usage
    report(world, *quarter(), *quarter(start=15))
    usage.roll_up(at(30))
    usage.prune(at(15), at(0))
    before = keys_with_demand(world)
    late = series(US)
    report(world, window(3, of=late), window(16, of=late, offered=0, admitted=0, completed=0))
    assert keys_with_demand(world) == before
    report(world, window(17, of=late))
    assert len(keys_with_demand(world)) == len(before) + 1


def test_traffic_that_a_higher_revision_took_back_makes_demand(world: World) -> None:
    of = series(US)
    quiet = {"offered": 0, "admitted": 0, "completed": 0, "input_tokens": 0, "output_tokens": 0}
    report(world, window(3, of=of, revision=2, **quiet))
    assert keys_with_demand(world) == set()
    report(world, window(3, of=of, revision=1))
    assert len(keys_with_demand(world)) == 2, "its own and the one of all origins"


def test_traffic_of_a_batch_that_is_refused_makes_no_demand(world: World) -> None:
    usage = world.stores.usage
    usage.record([batch(window(0), sequence=1)])
    before = keys_with_demand(world)
    with pytest.raises(SequenceGap):
        usage.record([batch(window(1, of=series(US)), sequence=3)])
    assert keys_with_demand(world) == before
