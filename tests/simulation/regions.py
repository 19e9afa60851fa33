"""A small simulated region and a load whose drains take as long as a test wants."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from heliostat.model.command import Command, Order, RedeployOrder, ScaleOrder
from heliostat.model.names import PoolKey, RegionName
from simulation.chance import component
from simulation.engine import NoLoad
from simulation.region import SimulatedRegion
from tests.builders import MINUTE, NOON, a_catalogue, a_pool

EAST = RegionName("east")


class BusyUntil(NoLoad):
    """Whatever runs is finished at that instant, and not before."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def finishes_at(self, pool: PoolKey, replica_id: str, now: datetime) -> datetime:
        return max(now, self.instant)


def a_region(**changes: Any) -> SimulatedRegion:
    values: dict[str, Any] = {
        "region": EAST,
        "catalogue": a_catalogue(),
        "seeds": component(1, "east"),
    }
    return SimulatedRegion(**(values | changes))


def an_order(order: Order, number: int = 1) -> Command:
    return Command(
        command_id=f"{number:012d}",
        region=EAST,
        order=order,
        reason="the test wants it",
        author="tests",
        created_at=NOON + MINUTE * number,
        not_after=NOON + timedelta(days=2),
    )


def to_scale(target: int, number: int = 1, pool: PoolKey | None = None) -> Command:
    return an_order(ScaleOrder(pool=pool or a_pool(), target_replicas=target), number)


def to_redeploy(source_target: int, destination_target: int, number: int = 1) -> Command:
    return an_order(
        RedeployOrder(
            source=a_pool(),
            source_target=source_target,
            destination=a_pool(model="beta"),
            destination_target=destination_target,
        ),
        number,
    )
