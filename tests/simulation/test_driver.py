"""What the simulated driver does beyond the contract that all drivers keep."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from heliostat.errors import DriverUnavailable
from heliostat.loops.agent import AgentLoop
from heliostat.model.command import Command, CommandState
from heliostat.model.instants import Span
from heliostat.model.names import VmTypeName
from simulation.driver import SimulatedDriver
from simulation.engine import NoLoad, PoolGauge
from simulation.journal import MemoryJournal
from simulation.meter import RegionMeter
from simulation.region import SimulatedRegion
from simulation.replica import Stage
from simulation.troubles import CloudTroubles, Shortage, TelemetryHole
from tests.builders import MINUTE, NOON, a_catalogue, a_pool, a_series, catalogue_mapping
from tests.simulation.regions import EAST, BusyUntil, a_region, to_redeploy, to_scale


def test_the_observation_carries_the_engines_gauges() -> None:
    class Loaded(NoLoad):
        def gauge(self, pool: object) -> PoolGauge:
            return PoolGauge(
                running_requests=5, waiting_requests=2, utilisation=0.8, kv_occupancy=0.1
            )

    region = a_region(load=Loaded())
    region.stand(a_pool(), 1, NOON)
    pools = {p.pool: p for p in SimulatedDriver(region).observe(NOON).pools}
    assert pools[a_pool()].utilisation == 0.8
    assert (pools[a_pool()].running_requests, pools[a_pool()].waiting_requests) == (5, 2)
    assert pools[a_pool(model="beta")].utilisation is None, "nothing stands, nothing is measured"


def test_draining_replicas_are_listed_as_such_until_they_go() -> None:
    region = a_region(load=BusyUntil(NOON + 3 * MINUTE))
    region.stand(a_pool(), 2, NOON)
    driver = SimulatedDriver(region)
    answer = driver.apply(to_scale(1), NOON)
    assert (answer.done, answer.progress.draining) == (False, 1)
    assert sorted(e.draining for e in driver.observe(NOON).replicas) == [False, True]
    answer = driver.apply(to_scale(1), NOON + 3 * MINUTE)
    assert (answer.done, answer.progress.released) == (True, 1)


def test_a_replica_that_did_not_change_is_told_as_the_same_value() -> None:
    region = a_region()
    region.stand(a_pool(), 2, NOON)
    driver = SimulatedDriver(region)
    before = driver.observe(NOON).replicas
    again = driver.observe(NOON + MINUTE).replicas
    assert all(one is other for one, other in zip(before, again, strict=True))
    region.fail(region.replicas()[0], NOON + MINUTE)
    assert driver.observe(NOON + 2 * MINUTE).replicas == before[1:]


def test_a_vm_on_its_way_to_another_pool_is_counted_once() -> None:
    region = a_region(load=BusyUntil(NOON + 3 * MINUTE))
    region.stand(a_pool(), 3, NOON)
    driver = SimulatedDriver(region)
    driver.apply(to_redeploy(1, 2), NOON)
    pools = {p.pool: p for p in driver.observe(NOON).pools}
    assert pools[a_pool()].standing + pools[a_pool()].draining == 1
    assert pools[a_pool(model="beta")].coming == 2


def test_what_does_not_serve_yet_is_released_before_what_serves() -> None:
    region = a_region()
    region.stand(a_pool(), 2, NOON)
    driver = SimulatedDriver(region)
    driver.apply(to_scale(4, 1), NOON)
    driver.apply(to_scale(2, 2), NOON)
    assert [r.stage for r in region.replicas()] == [Stage.READY] * 2


def test_a_replica_that_fails_is_replaced_while_its_order_is_open() -> None:
    region = a_region()
    driver = SimulatedDriver(region)
    driver.apply(to_scale(2), NOON)
    region.fail(region.replicas()[0], NOON)
    driver.apply(to_scale(2), NOON + MINUTE)
    assert len(region.standing_for(a_pool())) == region.desired[a_pool()] == 2


def test_a_replica_that_fails_later_is_no_longer_desired_so_that_the_next_plan_sees_the_gap() -> (
    None
):
    region = a_region()
    region.stand(a_pool(), 2, NOON)
    region.fail(region.replicas()[0], NOON)
    pool = next(p for p in SimulatedDriver(region).observe(NOON).pools if p.pool == a_pool())
    assert (pool.desired, pool.ready, pool.failed) == (1, 1, 1)


def test_quota_that_a_drain_is_about_to_free_is_waited_for() -> None:
    mapping = catalogue_mapping()
    mapping["regions"][0]["vm_types"]["small"] = {"quota": 2, "on_demand": 20.0}
    region = a_region(catalogue=a_catalogue(mapping), load=BusyUntil(NOON + 3 * MINUTE))
    region.stand(a_pool(), 2, NOON)
    driver = SimulatedDriver(region)
    beta = a_pool(model="beta")
    driver.apply(to_scale(1, 1), NOON)
    assert not driver.apply(to_scale(1, 2, beta), NOON).done
    assert region.standing_for(beta) == ()
    driver.apply(to_scale(1, 2, beta), NOON + 3 * MINUTE)
    assert len(region.standing_for(beta)) == 1


# --- crashes -----------------------------------------------------------------------------------


class Crash(BaseException):
    """The process is gone; nobody may catch it on the way."""


class Fuse:
    """Lets so many calls through a port and then kills the process, before or after the call."""

    def __init__(self, target: object, calls: int, *, after: bool) -> None:
        self._target, self._left, self._after = target, calls, after

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if not callable(attribute):
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left < 0 and not self._after:
                raise Crash
            answer = attribute(*args, **kwargs)
            if self._left < 0:
                raise Crash
            return answer

        return call


def an_agent(region: SimulatedRegion, journal: object, wrap: Callable[[Any], Any]) -> AgentLoop:
    meter = RegionMeter(quiet_series=a_series(), troubles=CloudTroubles())
    driver = SimulatedDriver(region)
    return AgentLoop(region=EAST, journal=wrap(journal), driver=driver, meter=meter)


def run_through(
    region: SimulatedRegion, command: Command, crashes: Iterator[Callable[[Any], Any]]
) -> MemoryJournal:
    """An agent that is killed at each of `crashes` and started again, until the command ends."""
    journal = MemoryJournal(source_id="agent")
    journal.receive([command])
    now: datetime = NOON
    while journal.open_commands():
        wrap = next(crashes, None)
        try:
            an_agent(region, journal, wrap or (lambda port: port)).tick(now)
        except Crash:
            continue
        now += MINUTE
        assert now < command.not_after, "the command never ended"
    return journal


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("calls", range(5))
def test_an_agent_killed_at_any_word_of_its_journal_buys_nothing_twice(
    calls: int, after: bool
) -> None:
    region = a_region()
    command = replace(to_scale(3), state=CommandState.LEASED)
    wraps = [lambda port: Fuse(port, calls, after=after)] * 3
    journal = run_through(region, command, iter(wraps))
    assert [ack.state for ack in journal.unsent_acks()] == [CommandState.APPLIED]
    assert (region.books.happened["bought"], len(region.replicas())) == (3, 3)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("bought", range(3))
def test_an_agent_killed_between_two_purchases_buys_only_the_rest(bought: int, after: bool) -> None:
    region = a_region()
    command = replace(to_scale(3), state=CommandState.LEASED)
    fused = Fuse(region, 10**6, after=after)
    fused_buy = Fuse(region, bought, after=after).buy
    journal = MemoryJournal(source_id="agent")
    journal.receive([command])

    class FusedRegion:
        def __getattr__(self, name: str) -> Any:
            return fused_buy if name == "buy" else getattr(fused, name)

    driver = SimulatedDriver(FusedRegion())  # type: ignore[arg-type]  # a region but for its fuse
    meter = RegionMeter(quiet_series=a_series(), troubles=CloudTroubles())
    with pytest.raises(Crash):
        AgentLoop(region=EAST, journal=journal, driver=driver, meter=meter).tick(NOON)
    journal = run_through(region, command, iter(()))
    assert (region.books.happened["bought"], len(region.replicas())) == (3, 3)


def test_a_shortage_in_the_middle_keeps_what_was_bought_and_ends_refused() -> None:
    span = Span(NOON, NOON + 60 * MINUTE)
    shortage = Shortage(vm_type=VmTypeName("small"), span=span, free_vms=2)
    region = a_region(troubles=CloudTroubles(shortages=(shortage,)))
    journal = run_through(region, to_scale(3), iter(()))
    (ack,) = journal.unsent_acks()
    assert (ack.state, ack.refusal) == (CommandState.REFUSED, "no-capacity")
    assert region.desired[a_pool()] == len(region.replicas()) == 2


def test_delayed_telemetry_tells_how_the_region_stood_then() -> None:
    region = a_region(troubles=CloudTroubles(telemetry_delay=5 * MINUTE))
    region.stand(a_pool(), 1, NOON)
    driver = SimulatedDriver(region)
    assert driver.observe(NOON).observed_at == NOON, "how it began is known"
    region.stand(a_pool(), 1, NOON + MINUTE)
    for minute in range(1, 6):
        with pytest.raises(DriverUnavailable, match="no telemetry to tell"):
            driver.observe(NOON + minute * MINUTE)
    told = driver.observe(NOON + 6 * MINUTE)
    assert told.observed_at == NOON + MINUTE
    assert {p.pool: p.ready for p in told.pools}[a_pool()] == 2


def test_no_lead_time_is_lost_where_telemetry_is_late_and_asked_for_seldom() -> None:
    troubles = CloudTroubles(telemetry_delay=5 * MINUTE)
    late, prompt = (a_region(troubles=one) for one in (troubles, CloudTroubles()))
    told = []
    for region in (late, prompt):
        driver = SimulatedDriver(region)
        driver.apply(to_scale(5), NOON)
        samples = list(driver.observe(NOON).lead_times)
        for minute in (*range(1, 40), *range(40, 120, 10)):
            with suppress(DriverUnavailable):
                samples += driver.observe(NOON + minute * MINUTE).lead_times
        told.append(samples)
    assert told[0] == told[1]
    assert len(told[0]) == 5


@pytest.mark.parametrize("only_tokens", [False, True])
def test_a_telemetry_hole_hides_the_fleet_unless_only_tokens_are_missing(
    only_tokens: bool,
) -> None:
    span = Span(NOON + MINUTE, NOON + 3 * MINUTE)
    hole = TelemetryHole(span=span, only_tokens=only_tokens)
    driver = SimulatedDriver(a_region(troubles=CloudTroubles(telemetry_holes=(hole,))))
    told = []
    for minute in range(5):
        with suppress(DriverUnavailable):
            told.append(driver.observe(NOON + minute * MINUTE).observed_at)
    hidden = () if only_tokens else (1, 2)
    assert told == [NOON + minute * MINUTE for minute in range(5) if minute not in hidden]
