"""Laws follow what engines and gateways measure, widen the margins, and are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from numpy.random import SeedSequence
from prometheus_client import CollectorRegistry

from heliostat.model.dispatch import Completion, CompletionOutcome, Placed
from heliostat.model.measured_law import MeasuredLaw
from scheduling.laws.law import WorkerLaw
from services.agent.dispatch.exposition import DispatchCollector
from services.agent.dispatch.laws import LEAST_SEEN, PoolLaws
from services.agent.dispatch.sight import WatchedDriver
from services.agent.drivers.simulated import simulated_driver
from services.agent.drivers.vm.cloud import EngineReading, EngineWork
from tests.builders import NOON, a_catalogue, a_pool
from tests.support.agents import EAST
from tests.support.dispatching import ALPHA, FULL, Counter, an_end, an_endpoint

LAW = WorkerLaw.of(a_catalogue().law(ALPHA, a_pool().vm_type))
SPAN, SEQUENCES, PROMPT = 10.0, 8, 1000


def work(slower: float = 1.0, *, prefills: int = 2) -> EngineWork:
    """Ten seconds of an engine with eight sequences that takes `slower` times as long as its law says."""
    gap = slower * LAW.iteration_seconds(SEQUENCES, 0.5 * LAW.kv_tokens)
    reading = prefills * slower * LAW.prefill_seconds(PROMPT)
    stretched = gap / (1.0 - reading / SPAN)
    return EngineWork(
        span_seconds=SPAN,
        gaps=SEQUENCES * SPAN / stretched,
        gap_seconds=SEQUENCES * SPAN,
        prompt_tokens=prefills * PROMPT,
        prefills=prefills,
        prefill_seconds=reading,
        prefill_tokens=prefills * PROMPT,
    )


def measured(work: EngineWork | None) -> EngineReading:
    return EngineReading(
        healthy=True, running_requests=0, waiting_requests=0, kv_occupancy=0.5, work=work
    )


IDLE_AT_LAST = EngineReading(healthy=True, running_requests=0, waiting_requests=0, kv_occupancy=0.0)


async def look(desk: Counter, count: int, *works: EngineWork) -> None:
    """So many looks at one replica, ten seconds apart, in turn of these; then one at which it is idle."""
    for number in range(count):
        await desk.show(an_endpoint(), reading=measured(works[number % len(works)]))
        desk.seconds += SPAN
    await desk.show(an_endpoint(), reading=IDLE_AT_LAST)
    await desk.room.beat()


async def law_of(desk: Counter) -> MeasuredLaw | None:
    return next(iter((await desk.room.view()).laws), None)


def expected_ttft(desk: Counter, name: str) -> float:
    place = desk.ask(name).outcome
    assert isinstance(place, Placed)
    assert place.expected_ttft_seconds is not None
    desk.room.complete(an_end(name))
    return place.expected_ttft_seconds


async def test_a_slower_engine_is_found_out_and_first_tokens_are_expected_later(
    desk: Counter,
) -> None:
    await look(desk, 1, work())
    before = expected_ttft(desk, "r-1")
    await look(desk, 60, work(1.5))
    law = await law_of(desk)
    assert law is not None
    assert law.prefill_ratio == pytest.approx(1.5, rel=0.05)
    assert law.iteration_ratio == pytest.approx(1.5, rel=0.05)
    assert (law.prefills, law.iterations) == (60, 60)
    assert law.prompt_tokens[0] == PROMPT
    assert law.sequences[1] == pytest.approx(SEQUENCES)
    assert expected_ttft(desk, "r-2") > 1.3 * before


async def test_prometheus_reads_refitted_laws(desk: Counter) -> None:
    await look(desk, 2 * LEAST_SEEN, work())
    registry = CollectorRegistry()
    registry.register(DispatchCollector(EAST, desk.room))
    labels = {"region": EAST, "model": ALPHA, "vm_type": a_pool().vm_type}
    ratio = registry.get_sample_value("heliostat_dispatch_law_gap_ratio", labels)
    assert ratio == pytest.approx(1.0, abs=0.01)


async def test_too_few_observations_change_nothing(desk: Counter) -> None:
    await look(desk, LEAST_SEEN // 2 - 1, work(3.0))
    assert await law_of(desk) is None


async def test_an_engine_that_keeps_its_law_is_told_of_too(desk: Counter) -> None:
    await look(desk, LEAST_SEEN, work())
    law = await law_of(desk)
    assert law is not None
    assert law.error < 0.01
    assert law.iteration_ratio == pytest.approx(1.0, abs=0.01)


async def test_an_engine_that_is_sometimes_slower_widens_the_margins(desk: Counter) -> None:
    await look(desk, LEAST_SEEN, work())
    steady = expected_ttft(desk, "r-1")
    await look(desk, 80, work(0.75), work(1.25))
    law = await law_of(desk)
    assert law is not None
    assert 0.15 < law.error < 0.6
    assert law.prefill_ratio == pytest.approx(1.0, abs=0.1)
    assert expected_ttft(desk, "r-2") > 1.1 * steady


async def test_one_wild_report_moves_the_law_little(desk: Counter) -> None:
    await look(desk, 60, work())
    await look(desk, 1, replace(work(), gaps=1e9), replace(work(), gaps=1e9))
    law = await law_of(desk)
    assert law is not None
    assert law.iteration_ratio > 0.8


@pytest.mark.parametrize(
    "odd",
    [
        {"gap_seconds": 1e300},
        {"gap_seconds": 1e300, "gaps": 1e300},
        {"gap_seconds": 1e-300},
        {"span_seconds": 1e-300},
        {"prefill_seconds": 1e300},
        {"prefill_tokens": 1e300},
        {"prefills": 1e300, "prefill_tokens": 1e-300},
        {"prompt_tokens": 1e300, "prefill_seconds": None},
    ],
)
async def test_counters_that_cannot_be_leave_laws_that_can(
    desk: Counter, odd: dict[str, Any]
) -> None:
    await look(desk, LEAST_SEEN, work())
    await look(desk, 2 * LEAST_SEEN, replace(work(), **odd))
    await look(desk, LEAST_SEEN, work())
    law = await law_of(desk)
    assert law is not None
    assert 0.3 < law.iteration_ratio < 3
    assert 0.3 < law.prefill_ratio < 3
    assert isinstance(desk.ask("r-1").outcome, Placed)


@pytest.mark.parametrize(
    "odd",
    [
        {"running_requests": 10**30},
        {"waiting_requests": -5},
        {"kv_occupancy": 1e300},
        {"kv_occupancy": -0.5},
    ],
)
async def test_gauges_that_cannot_be_count_as_not_measured(
    desk: Counter, odd: dict[str, Any]
) -> None:
    await desk.show(an_endpoint(), reading=replace(IDLE_AT_LAST, **odd))
    (basis,) = (await desk.room.view()).bases
    assert basis.fresh_replicas == 0
    assert isinstance(desk.ask("r-1").outcome, Placed)


async def test_what_says_nothing_of_iterations_is_left_out(desk: Counter) -> None:
    unclear = [
        EngineWork(span_seconds=SPAN),
        EngineWork(span_seconds=SPAN, gaps=0.0, gap_seconds=0.0, prefills=0.0),
        EngineWork(span_seconds=SPAN, gaps=5.0, gap_seconds=1.0),
        replace(work(), prefill_seconds=0.9 * SPAN, prefills=None),
    ]
    await look(desk, 4 * LEAST_SEEN, *unclear)
    assert await law_of(desk) is None


def end_of(
    name: str,
    slower: float,
    ttft: float,
    outcome: CompletionOutcome = CompletionOutcome.FINISHED,
) -> Completion:
    """A hundred tokens from an engine that takes `slower` times as long as its law says."""
    gap = slower * LAW.iteration_seconds(1, 550)
    return an_end(
        name,
        outcome,
        output_tokens=100,
        ttft_seconds=slower * ttft,
        e2e_seconds=slower * ttft + 99 * gap,
    )


async def test_gateways_reports_stand_in_where_engines_measure_no_gaps(desk: Counter) -> None:
    for number in range(60):
        await desk.show(an_endpoint())
        place = desk.ask(f"r-{number}").outcome
        assert isinstance(place, Placed)
        alone = LAW.prefill_seconds(500)
        desk.seconds += 4.0
        desk.room.complete(end_of(f"r-{number}", 1.5, alone))
        await desk.wait(6.0)
    law = await law_of(desk)
    assert law is not None
    assert law.prefill_ratio == pytest.approx(1.5, rel=0.1)
    assert law.iteration_ratio == pytest.approx(1.5, rel=0.1)


async def test_a_wait_for_a_place_is_not_taken_for_a_slow_engine(desk: Counter) -> None:
    alone = LAW.prefill_seconds(500)
    for number in range(2 * LEAST_SEEN):
        await desk.show(an_endpoint(), reading=FULL)
        desk.ask(f"r-{number}")
        desk.seconds += 0.5
        await desk.show(an_endpoint())
        assert desk.room.booked == 1
        desk.seconds += 4.0
        end = end_of(f"r-{number}", 1.0, alone)
        assert end.e2e_seconds is not None
        late = replace(end, ttft_seconds=0.5 + alone, e2e_seconds=0.5 + end.e2e_seconds)
        desk.room.complete(late)
        await desk.wait(6.0)
    law = await law_of(desk)
    assert law is not None
    assert (law.prefills, law.iterations) == (0, 2 * LEAST_SEEN)
    assert law.error < 0.05


async def test_what_engines_measure_goes_before_what_gateways_report(desk: Counter) -> None:
    for number in range(2 * LEAST_SEEN):
        await desk.show(an_endpoint(), reading=measured(replace(work(), prefills=None)))
        desk.ask(f"r-{number}")
        desk.seconds += SPAN
        assert desk.room.complete(end_of(f"r-{number}", 3.0, 1.0)) is True
    law = await law_of(desk)
    assert law is not None
    assert law.prefills == 0
    assert law.iteration_ratio == pytest.approx(1.0, abs=0.02)


async def test_requests_that_did_not_finish_tell_nothing(desk: Counter) -> None:
    for number in range(2 * LEAST_SEEN):
        await desk.show(an_endpoint())
        desk.ask(f"r-{number}")
        desk.room.complete(end_of(f"r-{number}", 3.0, 1.0, CompletionOutcome.CANCELLED))
        await desk.wait(SPAN)
    assert await law_of(desk) is None


async def test_after_a_restart_the_catalogues_law_is_in_force_again(desk: Counter) -> None:
    await look(desk, 60, work(1.5))
    assert await law_of(desk) is not None
    desk.restart()
    await desk.show(an_endpoint())
    assert await law_of(desk) is None


async def test_a_thousand_engines_at_once_cost_a_few_observations_a_beat(desk: Counter) -> None:
    endpoints = [an_endpoint(n, address=f"host-{n}") for n in range(100)]
    await desk.show(*endpoints, reading=measured(work()))
    assert await law_of(desk) is None
    for _ in range(LEAST_SEEN):
        desk.seconds += SPAN
        await desk.show(*endpoints, reading=measured(work()))
    law = await law_of(desk)
    assert law is not None
    assert law.observed <= 2 * 20 * (LEAST_SEEN + 1)


def test_what_the_agent_reports_of_its_region_carries_the_laws() -> None:
    laws = PoolLaws(a_catalogue())
    driver = simulated_driver(EAST, a_catalogue(), SeedSequence(1))
    watched = WatchedDriver(driver, dict, NOON.timestamp, lambda: laws.told)
    assert watched.observe(NOON).laws == ()
    for second in range(2 * LEAST_SEEN):
        laws.engine_worked(a_pool(), work(1.2), 0.5 * LAW.kv_tokens, second)
        laws.renew(second)
    (law,) = watched.observe(NOON).laws
    assert (law.pool, law.iterations) == (a_pool(), 2 * LEAST_SEEN)
