"""`heliostat dispatch` against a running agent, at 80 columns and as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heliostat.v1 import common_pb2
from heliostat.v1 import dispatch_pb2 as pb
from heliostat.v1.dispatch_pb2_grpc import DispatchServiceStub
from services.agent.agent import Agent
from services.agent.dispatch.laws import LEAST_SEEN
from services.agent.drivers.vm.cloud import EngineReading, EngineWork
from tests.cli.running import Ran, heliostat
from tests.support.dispatching import an_endpoint
from tests.support.dispatching_agent import StandingReplicas, a_dispatching_agent
from tests.support.planes import a_channel, a_world
from tests.support.waiting import until


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Agent]:
    """Two replicas that measured nothing to speak of, and a request of each kind."""
    driver = StandingReplicas([an_endpoint(0), an_endpoint(1, draining=True)])
    async with a_dispatching_agent(tmp_path, driver) as agent:
        room = agent.room
        assert room is not None
        async with a_channel(f"127.0.0.1:{agent.local_port}") as channel:
            stream = DispatchServiceStub(channel).Dispatch()
            asks = [
                pb.DispatchAsk(request_id=name, model=model, tier=tier, input_tokens=100)
                for name, model, tier in (
                    ("r", "alpha", common_pb2.TIER_INTERACTIVE_NORMAL),
                    ("b", "beta", common_pb2.TIER_BATCH),
                )
            ]
            await stream.write(pb.DispatchRequest(gateway_id="gw", asks=asks))
            await until(lambda: room.booked == 1)
            yield agent
            stream.cancel()


async def asked(agent: Agent, *arguments: object) -> Ran:
    api = f"127.0.0.1:{agent.local_port}"
    return await asyncio.to_thread(heliostat, "dispatch", *arguments, "--agent", api)


async def test_certificates_meant_for_the_control_plane_are_not_shown_at_an_agents_plain_api(
    agent: Agent, tmp_path: Path
) -> None:
    for_the_plane = {
        "HELIOSTAT_TLS_CA": str(tmp_path / "ca.pem"),
        "HELIOSTAT_TLS_CERT": str(tmp_path / "me.pem"),
        "HELIOSTAT_TLS_KEY": str(tmp_path / "me-key.pem"),
        "HELIOSTAT_LOCAL_ADDRESS": f"127.0.0.1:{agent.local_port}",
    }
    ran = await asyncio.to_thread(heliostat, "dispatch", "status", **for_the_plane)
    assert (ran.code, ran.err) == (0, "")
    of_the_agent = for_the_plane | {"HELIOSTAT_LOCAL_TLS_CA": str(tmp_path / "ca.pem")}
    ran = await asyncio.to_thread(heliostat, "dispatch", "status", **of_the_agent)
    assert ran.code == 78
    assert "--tls-ca (HELIOSTAT_LOCAL_TLS_CA)" in ran.err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("status", ["alpha", "signals", "received", "queued", "catalogue's law"]),
        ("replicas", ["vm-0", "vm-1 (drains)", "fresh", "2 of 2 replicas"]),
        ("queue", ["beta", "first due"]),
    ],
)
async def test_what_is_shown_fits_80_columns(agent: Agent, command: str, words: list[str]) -> None:
    ran = await asked(agent, command)
    assert ran.code == 0, ran.err
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    for word in words:
        assert word in ran.out


async def test_json_says_the_same(agent: Agent) -> None:
    status = (await asked(agent, "status", "--json")).json
    assert status["counts"]["asked"] == 2
    assert status["placed"] == 1
    assert status["bases"][0] == {
        "model": "alpha",
        "basis": "signals",
        "fresh_replicas": 1,
        "ready_replicas": 1,
        "new_replicas": 0,
    }
    replicas = (await asked(agent, "replicas", "--json", "--limit", 1)).json
    assert [one["booked_requests"] for one in replicas["replicas"]] == [1]
    (queue,) = (await asked(agent, "queue", "--json")).json["queues"]
    assert (queue["model"], queue["waiting"], queue["promoted"]) == ("beta", 1, 0)


async def test_a_model_that_nobody_knows_is_one_sentence(agent: Agent) -> None:
    ran = await asked(agent, "replicas", "--model", "gamma")
    assert ran.code != 0
    assert "unknown model 'gamma'" in ran.err


async def test_a_control_plane_taken_for_an_agent_and_an_agent_for_a_control_plane_say_so(
    agent: Agent,
) -> None:
    async with a_world() as world:
        ran = await asyncio.to_thread(
            heliostat, "dispatch", "status", "--agent", world.plane.address
        )
        assert ran.code != 0
        assert "the local API of an agent that dispatches with --agent" in ran.err
    api = f"127.0.0.1:{agent.local_port}"
    ran = await asyncio.to_thread(heliostat, "plan", "get", "--address", api)
    assert ran.code != 0
    assert "a control plane with --address" in ran.err


async def _refits(agent: Agent) -> None:
    assert agent.room is not None
    while True:
        if (await agent.room.view()).laws:
            return
        await asyncio.sleep(0.02)


async def test_refitted_laws_are_shown_with_what_they_rest_on(tmp_path: Path) -> None:
    work = EngineWork(span_seconds=10.0, gaps=2000.0, gap_seconds=80.0)
    reading = EngineReading(
        healthy=True, running_requests=8, waiting_requests=0, kv_occupancy=0.1, work=work
    )
    driver = StandingReplicas([an_endpoint(0)], reading)
    async with a_dispatching_agent(tmp_path, driver, tick_seconds=0.02) as agent:
        await _refits(agent)
        ran = await asked(agent, "status")
        told = (await asked(agent, "status", "--json")).json["laws"][0]
    assert ran.code == 0, ran.err
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    assert "8–8" in ran.out
    assert told["iterations"] >= LEAST_SEEN
    assert told["prefills"] == 0
    assert told["sequences"] == [8.0, 8.0]
