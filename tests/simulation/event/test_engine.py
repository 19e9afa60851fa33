"""The event engine as a port: what it measures, what it reports, and what it does not take."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from heliostat.errors import InvalidInput, UnknownRegion
from heliostat.model.instants import Span
from heliostat.model.latency import merged
from heliostat.model.names import RegionName, Tier
from heliostat.model.usage import UsageWindow
from simulation.engine import Change
from simulation.event.engine import EventEngine
from simulation.local_policy import (
    BatchAdmission,
    Dispatch,
    LocalPolicy,
    Order,
    Preemption,
    StaticBatchSize,
)
from tests.builders import MINUTE, NOON, a_catalogue, a_demand, a_pool
from tests.simulation.event.builders import (
    BATCH,
    DEMANDS,
    FAST,
    NORMAL,
    Listed,
    Run,
    change,
    columns,
    poisson,
    ready,
    seconds,
)

CATALOGUE = a_catalogue()
LAW = CATALOGUE.law(a_pool().model, a_pool().vm_type)
TRIP_SECONDS = 0.004


def test_an_idle_replica_takes_exactly_its_laws_time() -> None:
    run = Run(Listed(columns([1.0], 3000, 11), 2), ready(1))
    latencies = run.engine.latencies(Tier.INTERACTIVE_NORMAL)
    assert latencies is not None
    prefill = LAW.prefill_seconds(3000)
    decode = sum(LAW.decode_seconds(1, 3000 + n) for n in range(1, 11))
    assert latencies.ttft.quantile(1.0) == pytest.approx(TRIP_SECONDS + prefill, rel=0.02)
    assert latencies.itl.quantile(1.0) == pytest.approx(decode / 10, rel=0.02)
    assert latencies.e2e.quantile(1.0) == pytest.approx(TRIP_SECONDS + prefill + decode, rel=0.02)


def test_a_request_of_one_token_has_no_gap_between_tokens() -> None:
    run = Run(Listed(columns([1.0, 2.0], 100, 1), 2), ready(1))
    latencies = run.engine.latencies(Tier.INTERACTIVE_NORMAL)
    assert latencies is not None
    assert (latencies.ttft.count, latencies.itl.count) == (2, 0)
    assert run.total("output_tokens") == 2


def test_promises_are_judged_with_the_network_and_reachable_ones_apart() -> None:
    # Fast: max(1 s, 3 × prefill on the big type), 0.2 s a token. Prompts of 60,000 tokens take the
    # small type 13.9 s and the big one 6.1 s: promised 18.4 s, reachable and kept when alone.
    source = Listed(columns([1.0, 1.1, 100.0], [60_000, 500, 500], 10, 0), 4)
    tally = Run(source, ready(1)).engine.tallies()[FAST]
    assert (tally.completed, tally.met, tally.reachable) == (3, 2, 3)
    assert tally.attainment_of_reachable == pytest.approx(2 / 3)


def test_a_first_token_that_came_too_late_is_judged_before_the_last() -> None:
    # One place for requests that take minutes: the second starts late, the third on time.
    policy = LocalPolicy(batch_size=StaticBatchSize(most=1))
    source = Listed(columns([1.0, 2.0, 100.0], 100, [200, 20_000, 20_000], [0, 0, 1]), 3)
    run = Run(source, ready(1), policy)
    fast = run.engine.tallies()[FAST]
    assert (fast.completed, fast.started, fast.met, fast.reachable) == (1, 2, 1, 2)
    assert fast.attainment == fast.attainment_of_reachable == 0.5
    on_time = Run(Listed(columns([1.0], 100, 20_000, 0), 3), ready(1)).engine.tallies()[FAST]
    assert (on_time.started, on_time.attainment) == (0, None)


def test_a_late_request_is_judged_once_whatever_becomes_of_it() -> None:
    policy = LocalPolicy(batch_size=StaticBatchSize(most=1))
    source = Listed(columns([1.0, 2.0], 100, [200, 2000], 0), 12)
    fails = [
        change("vm-0", Change.FAILED, NOON + seconds(60)),
        change("vm-1", Change.READY, NOON + seconds(60)),
    ]
    again = [
        change("vm-1", Change.FAILED, NOON + seconds(100)),
        change("vm-2", Change.READY, NOON + seconds(100)),
    ]
    for changes, ends in (([], (2, 0)), (fails, (2, 0)), ([*fails, *again], (1, 1))):
        run = Run(source, [*ready(1), *changes], policy, minutes=1)
        judged = []
        while run.now < source.span.end:
            run.go_on()
            tally = run.engine.tallies()[FAST]
            judged.append((tally.started + tally.shed, tally.reachable))
        assert set(judged) == {(2, 2)}
        assert (tally.completed, tally.shed, tally.met) == (*ends, 1)


def test_windows_are_told_when_their_minute_ends_and_when_all_is_done() -> None:
    # 4,000 output tokens take about three minutes.
    source = Listed(columns([10.0, 20.0], 100, [4000, 10]), 8)
    run = Run(source, ready(1), minutes=0)
    told: list[UsageWindow] = []
    while run.now < source.span.end:
        run.go_on()
        told += [window for window in run.windows.values() if window not in told]
    assert [(w.start, w.revision, w.completed) for w in told] == [
        (NOON, 1, 1),
        (NOON, 2, 2),
    ]
    assert [w.output_tokens for w in told] == [10, 4010]
    assert {w.input_tokens for w in told} == {200}


def test_with_sketches_windows_carry_the_latencies_of_what_completed() -> None:
    stream = poisson(np.random.default_rng(1), per_second=2, seconds=300, mix=(0.3, 0.7, 0))
    run = Run(Listed(stream, 10), ready(2), with_sketches=True)
    for tier in (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL):
        windows = [w for w in run.windows.values() if w.series.tier is tier]
        latencies = run.engine.latencies(tier)
        assert latencies is not None
        assert merged(w.ttft for w in windows) == latencies.ttft
        assert merged(w.itl for w in windows) == latencies.itl
        assert merged(w.e2e for w in windows) == latencies.e2e


def test_a_gauge_shows_what_runs_waits_and_how_full_the_pool_is() -> None:
    # Sixty-four places, seventy requests that take long: six wait.
    source = Listed(columns(np.linspace(1, 2, 70), 500, 3000), 10)
    run = Run(source, ready(1), minutes=1)
    gauge = run.engine.gauge(a_pool())
    assert gauge is not None
    assert (gauge.running_requests, gauge.waiting_requests) == (64, 6)
    assert gauge.interactive_busy_replicas == 1
    assert gauge.running_batch_requests == 0
    assert gauge.utilisation >= 0.95
    # In a minute each generates less than 1,300 tokens.
    assert 64 * 500 < gauge.kv_occupancy * LAW.kv_tokens < 64 * 1800
    assert run.engine.gauge(a_pool(region="west")) is None


def test_utilisation_is_the_share_of_a_full_replicas_work() -> None:
    light, heavy = (
        Run(
            Listed(poisson(np.random.default_rng(1), per_second=rate, seconds=600), 10),
            ready(2),
        ).engine.gauge(a_pool())
        for rate in (1.0, 4.0)
    )
    assert light is not None
    assert heavy is not None
    assert 0.05 < light.utilisation < 0.35
    assert light.utilisation * 2.5 < heavy.utilisation < 1.0


@pytest.mark.parametrize("policy", [LocalPolicy(), LocalPolicy(max_prefill_tokens=1)])
def test_a_drain_ends_when_it_was_said_to_end(policy: LocalPolicy) -> None:
    stream = poisson(np.random.default_rng(2), per_second=4, seconds=300)
    drains = NOON + seconds(120)
    run = Run(Listed(stream, 10), ready(2), policy, minutes=2, step=seconds(1))
    end = run.engine.finishes_at(a_pool(), "vm-0", run.now)
    assert run.now < end < run.now + 5 * MINUTE
    run.changes = [change("vm-0", Change.DRAINING, drains)]
    slot = run.engine._roster.slot("vm-0")
    held = []
    while run.now < end + seconds(2):
        run.go_on()
        held.append((run.now, int(run.engine._arrays["replicas"]["held"][slot])))
    assert next(at for at, sequences in held if sequences == 0) == end
    assert run.engine.finishes_at(a_pool(), "vm-0", run.now) == run.now


def test_a_draining_replica_gets_no_request_and_loses_none() -> None:
    stream = poisson(np.random.default_rng(2), per_second=4, seconds=300)
    changes = [*ready(2), change("vm-0", Change.DRAINING, NOON + seconds(60))]
    changes.append(change("vm-0", Change.GONE, NOON + seconds(240)))
    run = Run(Listed(stream, 10), changes)
    tally = run.engine.tallies()[NORMAL]
    assert (tally.completed, tally.lost) == (tally.offered, 0)


def test_what_runs_on_a_failing_replica_is_lost_once_and_tried_again() -> None:
    source = Listed(columns([1.0], 100, 2000), 10)
    fails = change("vm-0", Change.FAILED, NOON + seconds(20))
    again = change("vm-1", Change.FAILED, NOON + seconds(50))
    run = Run(source, [*ready(2), fails])
    tally = run.engine.tallies()[NORMAL]
    assert (tally.completed, tally.lost, tally.retried, tally.shed) == (1, 1, 1, 0)
    twice = Run(source, [*ready(2), fails, again]).engine.tallies()[NORMAL]
    assert (twice.completed, twice.lost, twice.shed) == (0, 2, 1)


@pytest.mark.parametrize("what", [Change.FAILED, Change.GONE, Change.EVICTING])
@pytest.mark.parametrize("policy", [LocalPolicy(), LocalPolicy(batch_admission=None)])
def test_batch_work_outlives_the_last_replica(policy: LocalPolicy, what: Change) -> None:
    one_place = replace(policy, batch_size=StaticBatchSize(most=1))
    source = Listed(columns([1.0, 2.0, 3.0], 100, 1500, 2), 20)
    changes = [change("vm-0", what, NOON + seconds(40))]
    if what is Change.EVICTING:
        changes.append(change("vm-0", Change.FAILED, NOON + seconds(60)))
    comes = change("vm-1", Change.READY, NOON + seconds(400))
    tally = Run(source, [*ready(1), *changes, comes], one_place).engine.tallies()[BATCH]
    assert (tally.completed, tally.shed) == (3, 0)


def test_interactive_work_waits_for_a_replica_until_its_patience_ends() -> None:
    # Patience: 30 s of the fast one, 120 s of the other.
    source = Listed(columns([1.0, 2.0], 100, 3000, [0, 1]), 10)
    fails = change("vm-0", Change.FAILED, NOON + seconds(40))
    for back_after, completed in ((20, 2), (60, 1), (300, 0)):
        back = change("vm-1", Change.READY, NOON + seconds(40 + back_after))
        tally = Run(source, [*ready(1), fails, back]).tally()
        assert (tally.completed, tally.shed) == (completed, 2 - completed), back_after


def test_a_redeployed_vm_serves_its_new_model_only() -> None:
    beta = a_demand(model="beta")
    source = Listed(columns([10.0, 100.0], 100, 10, [0, 1]), 4, demands=(NORMAL, beta))
    pool = a_pool(model="beta")
    changes = [
        *ready(1),
        change("vm-0", Change.DRAINING, NOON + seconds(30)),
        change("vm-0", Change.GONE, NOON + seconds(40)),
        change("vm-0", Change.READY, NOON + seconds(60), pool),
    ]
    run = Run(source, changes)
    assert {key: tally.completed for key, tally in run.engine.tallies().items()} == {
        NORMAL: 1,
        beta: 1,
    }
    assert run.engine.busy_seconds(a_pool()) > 0
    assert run.engine.busy_seconds(pool) > 0


def test_waiting_batch_work_is_told_by_deadline() -> None:
    # One place: the first runs, 200 wait for it.
    policy = LocalPolicy(batch_size=StaticBatchSize(most=1))
    source = Listed(columns(np.linspace(1, 2, 201), 100, 5000, 2), 60)
    run = Run(source, ready(1), policy, minutes=1)
    (alpha, *others) = run.engine.batch_backlog(RegionName("east"))
    assert (alpha.model, alpha.requests) == (a_demand().model, 200)
    assert others == []
    deadline = NOON + timedelta(days=1)
    # Told in 96ths of a day, as the earliest that may be in it.
    assert all(deadline - timedelta(minutes=15) <= group.due <= deadline for group in alpha.groups)
    assert run.engine.batch_backlog(RegionName("west"))[0].requests == 0


def test_batch_work_is_let_in_below_the_bounds_and_oldest_first() -> None:
    never = LocalPolicy(batch_admission=BatchAdmission(one_below=0.0, two_below=0.0))
    source = Listed(columns([1.0, 2.0], 100, 10, 2), 5)
    assert Run(source, ready(1), never).engine.tallies()[BATCH].completed == 0
    assert Run(source, ready(1)).engine.tallies()[BATCH].completed == 2


def test_batch_work_that_waited_long_enough_is_served_like_interactive_work() -> None:
    policy = LocalPolicy(
        batch_admission=BatchAdmission(
            one_below=0.0, two_below=0.0, promoted_after=timedelta(minutes=2)
        )
    )
    run = Run(Listed(columns([1.0], 100, 10, 2), 5), ready(1), policy)
    latencies = run.engine.latencies(Tier.BATCH)
    assert latencies is not None
    assert latencies.ttft.quantile(1.0) == pytest.approx(120, rel=0.03)


def test_interactive_work_evicts_batch_work_which_goes_on_later() -> None:
    policy = LocalPolicy(
        batch_size=StaticBatchSize(most=1),
        interactive_evicts_batch=True,
        preemption=Preemption.SWAP,
        batch_admission=BatchAdmission(one_below=1.1, two_below=1.0),
    )
    source = Listed(columns([1.0, 10.0], 1000, [2000, 100], [2, 0]), 10)
    run = Run(source, ready(1), policy)
    tallies = run.engine.tallies()
    assert (tallies[BATCH].evicted, tallies[BATCH].completed, tallies[BATCH].output_tokens) == (
        1,
        1,
        2000,
    )
    latencies = run.engine.latencies(Tier.INTERACTIVE_FAST)
    assert latencies is not None
    copied = 1200 * 327680 / 25e9
    most = LAW.prefill_seconds(1000) + LAW.decode_seconds(1, 1300) + copied + TRIP_SECONDS
    assert (latencies.ttft.quantile(1.0) or 0) < most * 1.02


@pytest.mark.parametrize("dispatch", Dispatch)
def test_every_dispatch_serves_everything(dispatch: Dispatch) -> None:
    stream = poisson(np.random.default_rng(3), per_second=4, seconds=120)
    run = Run(Listed(stream, 10), ready(3), LocalPolicy(dispatch=dispatch))
    tally = run.engine.tallies()[NORMAL]
    assert tally.completed == tally.offered > 0


def test_packing_keeps_replicas_free_that_spreading_uses() -> None:
    stream = poisson(np.random.default_rng(3), per_second=2, seconds=600)
    busy = []
    for dispatch in (Dispatch.PACK, Dispatch.LEAST_WORK):
        run = Run(Listed(stream, 10), ready(4), LocalPolicy(dispatch=dispatch), minutes=9)
        gauge = run.engine.gauge(a_pool())
        assert gauge is not None
        busy.append(gauge.interactive_busy_replicas or 0)
    assert busy[0] < busy[1]


def test_the_fast_tier_goes_first_where_the_order_says_so() -> None:
    stream = poisson(np.random.default_rng(4), per_second=9, seconds=120, mix=(0.3, 0.7, 0))
    waits = {}
    for order in Order:
        run = Run(Listed(stream, 10), ready(2), LocalPolicy(order=order))
        fast = run.engine.latencies(Tier.INTERACTIVE_FAST)
        assert fast is not None
        waits[order] = fast.ttft.quantile(0.9) or 0
    for order in (Order.PF, Order.EDF, Order.FIRM, Order.DPA):
        assert waits[order] < 0.5 * waits[Order.FCFS], waits


def test_a_request_that_no_replica_could_hold_is_shed_at_once() -> None:
    policy = LocalPolicy(batch_admission=None)
    for demand in (1, 2):
        source = Listed(columns([1.0], LAW.kv_tokens, 10, demand), 2)
        run = Run(source, ready(1), policy)
        assert run.tally().shed == 1


def test_what_waits_longer_than_its_patience_is_shed() -> None:
    policy = LocalPolicy(batch_size=StaticBatchSize(most=1))
    source = Listed(columns([1.0, 2.0], 100, [2000, 10], 0), 5)
    tally = Run(source, ready(1), policy).engine.tallies()[FAST]
    assert (tally.completed, tally.shed, tally.met) == (1, 1, 1)


def test_memory_does_not_grow_with_the_length_of_the_run() -> None:
    def rows(minutes: int) -> list[int]:
        rng = np.random.default_rng(5)
        stream = poisson(rng, per_second=4, seconds=60 * minutes, prompt=200, output=20)
        run = Run(Listed(stream, minutes), ready(2))
        return [len(run.engine._arrays[name]) for name in ("requests", "windows", "replicas")]

    assert rows(60) == rows(10)


def test_more_replicas_than_ever_stood_find_their_place() -> None:
    stream = poisson(np.random.default_rng(6), per_second=8, seconds=300)
    changes = ready(1) + [
        change(f"more-{n}", Change.READY, NOON + seconds(20 + 7 * n)) for n in range(30)
    ]
    run = Run(Listed(stream, 10), changes)
    tally = run.engine.tallies()[NORMAL]
    assert tally.completed + tally.shed == tally.offered
    gauge = run.engine.gauge(a_pool())
    assert gauge is not None


@pytest.mark.parametrize("step", [seconds(0), seconds(45), timedelta(milliseconds=1500)])
def test_a_step_that_does_not_divide_a_minute_is_refused(step: timedelta) -> None:
    with pytest.raises(InvalidInput, match="step"):
        EventEngine(CATALOGUE, Listed(columns([], 1, 1), 1), step=step)


def test_a_span_that_is_no_step_is_refused() -> None:
    engine = EventEngine(CATALOGUE, Listed(columns([], 1, 1), 1))
    with pytest.raises(InvalidInput, match="span"):
        engine.serve(Span(NOON, NOON + MINUTE), changes=(), tables={})


def test_demands_that_the_catalogue_does_not_know_are_refused() -> None:
    with pytest.raises(UnknownRegion):
        EventEngine(CATALOGUE, Listed(columns([], 1, 1), 1, demands=(a_demand(origin="moon"),)))
    alpha = CATALOGUE.models[0]
    assert alpha.tier(Tier.BATCH) is not None
    assert set(DEMANDS) == {FAST, NORMAL, BATCH}


def test_a_change_of_an_unknown_pool_is_refused() -> None:
    engine = EventEngine(CATALOGUE, Listed(columns([], 1, 1), 1))
    strange = change("vm-0", Change.READY, pool=a_pool(vm_type="huge"))
    with pytest.raises(InvalidInput, match="huge"):
        engine.serve(Span(NOON, NOON + engine.step), changes=[strange], tables={})
