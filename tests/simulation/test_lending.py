"""Lending: what is released is lent, paid for meanwhile, and comes back before anything is bought."""

from __future__ import annotations

from datetime import timedelta

from heliostat.model.fleet import StartKind
from heliostat.model.instants import Span
from simulation.driver import SimulatedDriver
from simulation.region import SimulatedRegion
from simulation.replica import BILLED, Stage
from simulation.troubles import CloudTroubles
from tests.builders import MINUTE, NOON, a_pool
from tests.simulation.regions import a_region, to_scale

HOUR = timedelta(hours=1)


def a_lender(standing: int = 1, **changes: object) -> SimulatedRegion:
    region = a_region(lends=True, **changes)
    region.stand(a_pool(), standing, NOON)
    return region


def lent(region: SimulatedRegion, now: timedelta = timedelta(0)) -> None:
    """Release everything, and let it drain."""
    for replica in region.replicas():
        region.release(replica, "c1", NOON + now)
    region.advance(NOON + now)


def test_a_released_replica_is_lent_once_it_has_drained_and_goes_on_being_paid_for() -> None:
    region = a_lender()
    lent(region)
    seconds = region.stage_seconds(NOON + HOUR)
    assert seconds[a_pool(), Stage.LENT] == 3600
    assert sum(count for (_, stage), count in seconds.items() if stage in BILLED) == 3600
    assert region.standing_for(a_pool()) == ()


def test_without_lending_it_is_released() -> None:
    region = a_region()
    region.stand(a_pool(), 1, NOON)
    lent(region)
    assert region.replicas() == ()


def test_an_own_lent_vm_comes_back_warm_and_before_anything_is_bought() -> None:
    region = a_lender()
    lent(region)
    (before,) = region.replicas()
    replica = region.buy(a_pool(), "c2", NOON + MINUTE)
    assert replica is before
    assert replica.start_kind is StartKind.WARM
    region.advance(NOON + HOUR)
    assert replica.stage is Stage.READY
    assert (region.books.happened["bought"], region.books.happened["taken back"]) == (0, 1)
    (sample,) = region.books.lead_times
    assert sample.start_kind is StartKind.WARM


def test_another_models_lent_vm_loads_the_model_anew_and_counts_for_its_new_pool() -> None:
    region = a_lender()
    lent(region)
    other = a_pool(model="beta")
    replica = region.buy(other, "c2", NOON + MINUTE)
    assert replica.pool == other
    assert replica.start_kind is StartKind.REDEPLOY_REMOTE_WEIGHTS
    assert region.standing_for(other) == (replica,)
    assert region.books.happened["bought"] == 0


def test_an_own_lent_vm_is_taken_before_another_models() -> None:
    region = a_lender(2)
    region.stand(a_pool(model="beta"), 1, NOON)
    lent(region)
    assert region.buy(a_pool(), "c2", NOON + MINUTE).start_kind is StartKind.WARM


def test_what_does_not_serve_yet_is_not_lent() -> None:
    region = a_region(lends=True)
    replica = region.buy(a_pool(), "c1", NOON)
    region.release(replica, "c2", NOON + MINUTE)
    assert replica.stage is Stage.RELEASED


def test_lent_vms_are_lost_with_their_region() -> None:
    outage = Span(NOON + HOUR, NOON + 2 * HOUR)
    region = a_lender(troubles=CloudTroubles(outages=(outage,)))
    lent(region)
    region.advance(NOON + 3 * HOUR)
    assert region.replicas() == ()


def test_a_command_that_lent_is_done_and_tells_what_it_released() -> None:
    region = a_lender(2)
    driver = SimulatedDriver(region)
    driver.apply(to_scale(1), NOON)
    answer = driver.apply(to_scale(1), NOON + MINUTE)
    assert answer.done
    assert answer.progress.released == 1
    assert driver.observe(NOON + MINUTE).pools[0].ready == 1
