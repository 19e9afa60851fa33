"""Agents that drive simulated engines and are linked to control planes on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from numpy.random import SeedSequence

from heliostat.model.names import RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingTable
from services.agent.agent import Agent
from services.agent.bootstrap import build_agent
from services.agent.drivers.simulated import simulated_driver
from services.agent.hands import Hands
from services.agent.settings import AgentSettings
from tests.builders import MINUTE, NOON, a_catalogue, a_series
from tests.support.agents import EAST
from tests.support.control_plane import ControlPlane

WEST = RegionName("west")


def a_control_plane() -> ControlPlane:
    """One for the catalogue of the tests; calls that it does not know it answers as unimplemented."""
    return ControlPlane(a_catalogue())  # type: ignore[abstract]  # gRPC answers for what is left out


def an_agent(folder: Path, *addresses: str, local_listen: str = "127.0.0.1:0") -> Agent:
    """The agent of the east, not yet started."""
    settings = AgentSettings(
        region="east",
        control_planes=addresses,
        data_dir=folder,
        local_listen=local_listen,
        metrics_listen="",
        seed=1,
        power_safe=False,
    )
    catalogue = a_catalogue()
    return build_agent(
        settings,
        catalogue,
        now=NOON,
        hands_of=lambda _: Hands(driver=simulated_driver(EAST, catalogue, SeedSequence(1))),
    )


@asynccontextmanager
async def started(folder: Path, *addresses: str) -> AsyncIterator[Agent]:
    """The agent of the east, until the block ends."""
    agent = an_agent(folder, *addresses)
    await agent.start()
    try:
        yield agent
    finally:
        await agent.stop(0)


def a_table(version: str, weight_to: RegionName = WEST) -> RoutingTable:
    """What the east's gateways follow: everything to one region."""
    share = RouteShare(serving=weight_to, weight_ppm=MILLION, ingress_endpoint="127.0.0.1:18002")
    entry = RouteEntry(model=a_series().model, tier=Tier.BATCH, shares=(share,))
    return RoutingTable(
        origin=EAST, valid_from=NOON, stale_after=5 * MINUTE, entries=(entry,), version=version
    )
