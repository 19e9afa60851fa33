"""What housekeeping leaves alone while nobody is heard of stands in the log."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from heliostat.model.fleet import PoolObservation
from services.control_plane.ticks import Tick
from tests.builders import NOON, a_pool, an_observation
from tests.support.planes import World, a_world


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno == logging.WARNING]


async def housekept(world: World, silence: timedelta) -> None:
    """Housekeeping, so long after the only region was heard of."""
    world.stores.fleet.observe(an_observation(PoolObservation(pool=a_pool()), at=NOON), NOON)
    await world.plane.tick(Tick.HOUSEKEEP, NOON + silence)


async def test_that_nothing_was_dropped_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async with a_world() as world:
        await housekept(world, timedelta(days=2))
    assert warned(caplog) == ["nothing_dropped"]


async def test_nothing_is_said_while_regions_are_heard_of(caplog: pytest.LogCaptureFixture) -> None:
    async with a_world() as world:
        await housekept(world, timedelta(hours=2))
    assert not warned(caplog)
