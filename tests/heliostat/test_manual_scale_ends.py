"""A manual scale survives every plan until its expiry and ends there, forecast or not."""

from __future__ import annotations

from datetime import datetime, timedelta

from heliostat.loops.manual import ManualOrder
from heliostat.model.command import ScaleOrder
from heliostat.model.fleet import PoolObservation
from heliostat.model.governance import Mode
from heliostat.model.plan import PlanStatus, PoolTarget
from planning.guard import CatalogueGuard
from planning.planner import HeliostatPlanner
from planning.strategies import Immediate
from tests.builders import NOON, QUARTER, a_catalogue, a_pool, an_observation
from tests.heliostat.fakes import House, a_house

POOL = a_pool()
HOUR = timedelta(hours=1)


def a_blind_house() -> House:
    """The house's own planner and guard, in active mode, with an empty history."""
    house = a_house(
        planner=HeliostatPlanner(stopwatch=lambda: 0.0),
        strategy=Immediate(),
        guard=CatalogueGuard(),
    )
    house.set_mode(Mode.ACTIVE)
    return house


def planned(house: House, at: datetime, ready: int) -> PoolTarget:
    """What the plan of that instant wants of POOL when `ready` of it stand."""
    seen = [
        PoolObservation(pool=pool.key, ready=n, desired=n)
        for pool in a_catalogue().pools
        if pool.key.region == POOL.region
        for n in [ready if pool.key == POOL else 1]
    ]
    house.stores.fleet.observe(an_observation(*seen, at=at), at)
    plan = house.loop.replan(at, epoch=house.epoch).plan
    assert plan is not None
    assert plan.status is PlanStatus.FLOOR
    target = plan.target(POOL)
    assert target is not None
    return target


def test_it_ends_at_its_expiry_with_an_empty_history() -> None:
    house = a_blind_house()
    assert planned(house, NOON, 3).replicas == 3
    order = ManualOrder(
        order=ScaleOrder(pool=POOL, target_replicas=8),
        author="ada",
        reason="launch day",
        request_id="r-1",
        expires_at=NOON + HOUR,
    )
    house.desk.order(order, NOON, epoch=house.epoch)
    for quarter in range(1, 4):
        assert planned(house, NOON + quarter * QUARTER, 8).replicas == 8
    back = planned(house, NOON + HOUR, 8)
    assert (back.replicas, back.reason.binding) == (3, "override ended")
    commands = house.stores.outbox.commands()
    assert ScaleOrder(pool=POOL, target_replicas=3) in [command.order for command in commands]
    after = planned(house, NOON + HOUR + QUARTER, 3)
    assert (after.replicas, after.reason.binding) == (3, "minimum")


def test_one_that_is_cancelled_ends_at_once() -> None:
    house = a_blind_house()
    planned(house, NOON, 3)
    order = ManualOrder(
        order=ScaleOrder(pool=POOL, target_replicas=1),
        author="ada",
        reason="maintenance",
        request_id="r-1",
        expires_at=NOON + 8 * HOUR,
    )
    house.desk.order(order, NOON, epoch=house.epoch)
    assert planned(house, NOON + QUARTER, 1).replicas == 1
    (override,) = house.stores.overrides.overrides(NOON + QUARTER)
    house.stores.overrides.cancel_override(
        override.override_id, author="ada", now=NOON + 2 * QUARTER, epoch=house.epoch
    )
    assert planned(house, NOON + 2 * QUARTER, 1).replicas == 3
