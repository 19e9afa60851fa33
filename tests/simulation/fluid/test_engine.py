"""The fluid engine as a whole: nothing is lost, overload queues and then sheds, drains are waited for."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from heliostat.model.latency import merged
from heliostat.model.names import DemandKey, PoolKey, Tier
from heliostat.model.usage import UsageSeries, UsageWindow
from simulation.arrivals import ArrivalRates
from simulation.engine import Change, ReplicaChange
from simulation.fluid.engine import FluidEngine
from tests.builders import MINUTE, NOON, a_catalogue, a_demand, a_pool
from tests.simulation.fakes import no_arrivals

CATALOGUE = a_catalogue()
FAST = a_demand(tier=Tier.INTERACTIVE_FAST)
NORMAL = a_demand()
BATCH = a_demand(tier=Tier.BATCH)
LENGTH = 500
"""Minutes that a workload lasts."""


class Run:
    """An engine fed minute by minute, that keeps the newest revision of every window."""

    def __init__(self) -> None:
        arrivals = ArrivalRates(
            start=NOON, by_demand={key: no_arrivals(LENGTH) for key in (FAST, NORMAL, BATCH)}
        )
        self.arrivals = arrivals
        self.engine = FluidEngine(CATALOGUE, arrivals)
        self.now = NOON
        self.windows: dict[tuple[UsageSeries, object], UsageWindow] = {}
        self.standing: set[tuple[PoolKey, int]] = set()

    def minute(self, offered: Mapping[DemandKey, int], ready: Mapping[PoolKey, int]) -> None:
        place = self.arrivals.minute_of(self.now)
        for key, n in offered.items():
            column = self.arrivals.by_demand[key]
            column.offered[place] = n
            column.input_tokens[place], column.output_tokens[place] = 1000 * n, 100 * n
        span = Span(self.now, self.now + MINUTE)
        for window in self.engine.serve(span, changes=self.changes(ready), tables={}):
            before = self.windows.get((window.series, window.start))
            assert window.revision == (before.revision + 1 if before else 1)
            self.windows[window.series, window.start] = window
        self.now += MINUTE

    def changes(self, ready: Mapping[PoolKey, int]) -> list[ReplicaChange]:
        """So that from now on exactly these are ready."""
        wanted = {(pool, number) for pool, count in ready.items() for number in range(count)}
        news = [(key, Change.READY) for key in sorted(wanted - self.standing)]
        news += [(key, Change.GONE) for key in sorted(self.standing - wanted)]
        self.standing = wanted
        return [
            ReplicaChange(at=self.now, replica_id=f"{pool}-{number}", pool=pool, what=what)
            for (pool, number), what in news
        ]

    def minutes(
        self, count: int, offered: Mapping[DemandKey, int], replicas: int, region: str = "east"
    ) -> None:
        for _ in range(count):
            self.minute(offered, {a_pool(region=region): replicas})

    def total(self, column: str) -> int:
        return sum(getattr(window, column) for window in self.windows.values())


def test_what_is_offered_is_admitted_and_completes_with_all_its_tokens() -> None:
    run = Run()
    run.minutes(10, {NORMAL: 60, FAST: 30}, replicas=3)
    run.minutes(5, {}, replicas=3)
    assert run.total("offered") == run.total("admitted") == run.total("completed") == 900
    assert run.total("input_tokens") == 900_000
    assert run.total("output_tokens") == 90_000
    assert run.total("rejected") == 0


def test_output_that_completes_later_is_booked_to_the_arrivals_window_by_revision() -> None:
    run = Run()
    run.minutes(1, {NORMAL: 100}, replicas=3)
    (first,) = run.windows.values()
    assert first.revision == 1
    assert 0 < first.completed < first.admitted
    run.minutes(3, {}, replicas=3)
    (last,) = run.windows.values()
    assert last.revision > 1
    assert (last.completed, last.output_tokens) == (100, 10_000)


def test_every_admitted_request_has_its_latencies_in_the_sketches() -> None:
    run = Run()
    run.minutes(7, {NORMAL: 61, FAST: 1, BATCH: 3}, replicas=3)
    run.minutes(4, {}, replicas=3)
    for window in run.windows.values():
        for sketch in (window.ttft, window.itl, window.e2e):
            assert sketch is not None
            assert sketch.count == window.admitted


def test_an_idle_replica_starts_a_prompt_in_its_prefill_time() -> None:
    run = Run()
    run.minutes(120, {NORMAL: 1}, replicas=1)
    law = CATALOGUE.law(a_pool().model, a_pool().vm_type)
    ttft = merged(window.ttft for window in run.windows.values())
    assert ttft is not None
    median = ttft.quantile(0.5)
    assert median is not None
    # The median prompt of the spread is 1000 / √1.5 tokens; half an iteration and 4 ms come on top.
    least = law.prefill_seconds(1000 / 1.5**0.5) + law.decode_base / 2 + 0.004
    assert least * 0.98 <= median <= least * 1.15


def test_overload_queues_first_and_is_served_when_the_load_is_gone() -> None:
    run = Run()
    run.minutes(2, {NORMAL: 400}, replicas=1)
    gauge = run.engine.gauge(a_pool())
    assert gauge is not None
    assert gauge.waiting_requests > 0
    assert gauge.utilisation > 0.99
    run.minutes(60, {}, replicas=1)
    tally = run.engine.tallies()[NORMAL]
    assert tally.completed == tally.admitted == tally.offered - tally.shed
    ttft = merged(window.ttft for window in run.windows.values())
    assert ttft is not None
    assert (ttft.quantile(0.9) or 0) > 20


def test_a_queue_longer_than_patience_is_shed_and_counts_as_missed() -> None:
    run = Run()
    run.minutes(30, {NORMAL: 800}, replicas=1)
    tally = run.engine.tallies()[NORMAL]
    assert tally.shed > 0
    assert tally.offered == tally.admitted + tally.shed
    assert tally.attainment is not None
    assert tally.attainment < 0.6
    assert run.total("rejected") == tally.shed
    waits = merged(window.ttft for window in run.windows.values())
    assert waits is not None
    assert (waits.quantile(1.0) or 0) < 2 * 60 * 2 + 60, "nobody waits beyond twice the promise"


def test_with_nothing_ready_everything_is_shed_and_still_offered() -> None:
    run = Run()
    run.minutes(3, {NORMAL: 10}, replicas=0)
    assert (run.total("offered"), run.total("admitted"), run.total("rejected")) == (30, 0, 30)
    assert run.total("input_tokens") == 30_000
    assert run.engine.gauge(a_pool()) is None


def test_batch_work_waits_for_interactive_work_and_is_not_lost() -> None:
    run = Run()
    run.minutes(20, {FAST: 90, BATCH: 200}, replicas=1)
    busy = run.engine.tallies()
    assert busy[FAST].in_flight < 60
    assert busy[BATCH].in_flight > 300
    run.minutes(60, {}, replicas=1)
    assert run.engine.tallies()[BATCH].completed == 20 * 200


def test_requests_served_elsewhere_pay_the_round_trip() -> None:
    home, away = Run(), Run()
    home.minutes(30, {NORMAL: 1}, replicas=1)
    away.minutes(30, {NORMAL: 1}, replicas=1, region="west")
    (here, there) = (merged(w.ttft for w in run.windows.values()) for run in (home, away))
    assert here is not None
    assert there is not None
    extra = (there.quantile(0.5) or 0) - (here.quantile(0.5) or 0)
    assert extra == pytest.approx(0.070 - 0.004, abs=0.01)
    assert {w.series.serving for w in away.windows.values()} == {"west"}


def test_work_done_is_the_work_of_what_was_started() -> None:
    light, heavy = Run(), Run()
    light.minutes(10, {NORMAL: 30}, replicas=4)
    heavy.minutes(10, {NORMAL: 60}, replicas=4)
    one, two = (run.engine.busy_seconds(a_pool()) for run in (light, heavy))
    assert two == pytest.approx(2 * one)
    assert 0 < two < 4 * 600


def test_what_runs_on_a_draining_replica_has_an_end() -> None:
    run = Run()
    run.minutes(5, {NORMAL: 60}, replicas=2)
    end = run.engine.finishes_at(a_pool(), "vm-1", run.now)
    assert run.now < end < run.now + timedelta(minutes=10)
    assert run.engine.finishes_at(a_pool(), "vm-1", run.now + timedelta(seconds=1)) == end
    assert run.engine.finishes_at(a_pool(), "vm-1", end) == end


def test_an_idle_replica_drains_at_once() -> None:
    run = Run()
    run.minutes(1, {}, replicas=2)
    assert run.engine.finishes_at(a_pool(), "vm-1", run.now) == run.now


MINUTES = st.tuples(
    st.integers(0, 400),
    st.integers(0, 400),
    st.integers(0, 400),
    st.integers(0, 6),
    st.integers(0, 3),
)


@settings(max_examples=40)
@given(st.lists(MINUTES, min_size=1, max_size=12))
def test_requests_and_tokens_are_conserved_whatever_comes(
    minutes: list[tuple[int, int, int, int, int]],
) -> None:
    run = Run()
    for fast, normal, batch, small, big in minutes:
        offered = {FAST: fast, NORMAL: normal, BATCH: batch}
        run.minute(offered, {a_pool(): small, a_pool(region="west", vm_type="big"): big})
    for window in run.windows.values():
        assert window.offered == window.admitted + window.rejected
        assert 0 <= window.completed <= window.admitted
    tallies = run.engine.tallies().values()
    assert run.engine.offered() == sum(tally.offered for tally in tallies)
    for tally in tallies:
        assert tally.offered == tally.admitted + tally.shed
        assert tally.completed <= tally.started + 1e-6 <= tally.admitted + 1e-5
        assert tally.met <= tally.started + 1e-6
    assert run.total("offered") == sum(sum(minute[:3]) for minute in minutes)
    for _ in range(400):
        if all(t.in_flight == 0 for t in run.engine.tallies().values()):
            break
        run.minute({}, {a_pool(): 20, a_pool(region="west"): 20})
    assert run.total("completed") == run.total("admitted")
    assert run.total("input_tokens") == 1000 * run.total("offered")
    admitted = run.total("admitted")
    assert run.total("output_tokens") == pytest.approx(100 * admitted, abs=len(run.windows))


def test_all_latencies_of_a_tier_are_those_of_its_windows() -> None:
    run = Run()
    run.minutes(12, {NORMAL: 61, FAST: 7}, replicas=3)
    for tier in (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL):
        windows = [window for window in run.windows.values() if window.series.tier is tier]
        latencies = run.engine.latencies(tier)
        assert latencies is not None
        assert latencies.ttft == merged(window.ttft for window in windows)
        assert latencies.e2e == merged(window.e2e for window in windows)


def test_a_span_that_is_no_minute_is_refused() -> None:
    half = Span(NOON, NOON + MINUTE / 2)
    with pytest.raises(InvalidInput, match="minute"):
        Run().engine.serve(half, changes=(), tables={})


def test_batch_work_makes_no_replica_busy_with_interactive_work() -> None:
    run = Run()
    run.minutes(3, {BATCH: 400}, replicas=6)
    gauge = run.engine.gauge(a_pool())
    assert gauge is not None
    assert gauge.interactive_busy_replicas == 0
    run.minutes(3, {BATCH: 400, NORMAL: 60}, replicas=6)
    gauge = run.engine.gauge(a_pool())
    assert gauge is not None
    assert gauge.interactive_busy_replicas == 1
