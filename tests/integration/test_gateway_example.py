"""The example gateway of the docs, against an agent's local API."""

import asyncio
import contextlib
import threading
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from heliostat.v1 import common_pb2, routing_pb2
from services.agent.agent import Agent
from services.translation.usage import batch_to_wire
from tests.builders import MINUTE, NOON, a_batch, a_window
from tests.support.control_plane import ControlPlane
from tests.support.examples import example_module
from tests.support.linked_agents import a_table

BATCH = common_pb2.Tier.TIER_BATCH


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return example_module("gateway_client")


async def test_the_example_follows_routes_and_reports_usage(
    plane: ControlPlane,
    agent: Agent,
    example: ModuleType,
    tmp_path: Path,
) -> None:
    await plane.publish(a_table("7"))
    await agent.catch_up()
    disk = tmp_path / "gateway.table"

    def follow_then_report() -> list[int]:
        channel = grpc.insecure_channel(f"127.0.0.1:{agent.local_port}")
        gateway = example.Gateway(channel, "east", "east/gateway-1", disk)
        batches = (
            batch_to_wire(
                a_batch([a_window(NOON + MINUTE * n)], source_id="east/gateway-1", sequence=n)
            )
            for n in (1, 2)
        )
        durable = list(gateway.report(batches))
        with grpc.insecure_channel(f"127.0.0.1:{agent.local_port}") as watching:
            watcher = example.Gateway(watching, "east", "east/gateway-1", disk)
            _watch_until(watcher, "7", watching)
        channel.close()
        return durable

    assert await asyncio.to_thread(follow_then_report) == [1, 2]
    kept = example.Gateway(grpc.insecure_channel("127.0.0.1:1"), "east", "east/gateway-1", disk)
    assert kept.table.version == "7"
    region, headers = kept.pick("alpha", BATCH, "session", {})
    assert (region, headers) == ("west", {"x-heliostat-hop": "east"})
    assert kept.pick("alpha", BATCH, "session", headers) == ("east", headers)


def test_a_region_that_failed_is_followed_by_the_fall_back_regions(
    example: ModuleType, tmp_path: Path
) -> None:
    here = example.Gateway(grpc.insecure_channel("127.0.0.1:1"), "east", "east/g", tmp_path / "t")
    home = routing_pb2.RouteShare(serving_region="east", weight_ppm=1_000_000)
    entry = routing_pb2.RouteEntry(
        model="alpha", tier=BATCH, shares=[home], fallback_regions=["east", "west"]
    )
    here.table = routing_pb2.RoutingTable(origin_region="east", entries=[entry])
    assert here.pick("alpha", BATCH, "session", {}) == ("east", {})
    away = here.pick("alpha", BATCH, "session", {}, failed={"east"})
    assert away == ("west", {"x-heliostat-hop": "east"})
    assert here.pick("alpha", BATCH, "session", {}, failed={"east", "west"}) is None


def _watch_until(watcher, version: str, channel: grpc.Channel) -> None:  # type: ignore[no-untyped-def]  # a class of the example, loaded from its file
    """Hang up as soon as the table came."""
    done = threading.Thread(target=_follow, args=(watcher,))
    done.start()
    while watcher.table.version != version and done.is_alive():
        done.join(0.02)
    channel.close()
    done.join()


def _follow(watcher) -> None:  # type: ignore[no-untyped-def]  # the same
    with contextlib.suppress(grpc.RpcError, ValueError):
        watcher.watch()
