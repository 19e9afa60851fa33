"""One control plane decides, the others serve what may be read; hands change without a lost word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heliostat.clock import SteppedClock, SystemClock, monotonic_seconds
from heliostat.errors import Fenced, NotLeader, SecondControlPlane, StorageUnavailable
from heliostat.model.governance import Mode
from heliostat.ports.leadership import Lease
from heliostat.v1 import fleet_pb2, plan_pb2, routing_pb2, usage_pb2
from services.control_plane.leader import Leader
from services.control_plane.ticks import Tick
from services.log_events import FIELDS
from services.translation.usage import batch_to_wire
from storage.memory import memory_stores
from storage.notify import ChangeFeed
from tests.builders import NOON, a_batch, a_window
from tests.support.planes import World, a_world, error_in
from tests.support.streams import heard
from tests.support.waiting import until

TERM = timedelta(seconds=1)


@asynccontextmanager
async def two_worlds(term: timedelta = timedelta(hours=1)) -> AsyncIterator[tuple[World, World]]:
    """A leader and a follower on one store, who ask for the lease three times per term.

    The store's clock stands: on a slow machine too, nobody loses the lease who does not give it up.
    """
    feed = ChangeFeed()
    stores = memory_stores(SteppedClock(NOON), feed)
    changes: dict[str, Any] = {"stores": stores, "feed": feed, "lease": term}
    async with (
        a_world(name="one", advertise="one:7443", **changes) as leader,
        a_world(name="two", advertise="two:7443", **changes) as follower,
    ):
        yield leader, follower


async def test_a_follower_refuses_writes_and_names_the_leader() -> None:
    async with two_worlds() as (_, follower):
        batch = batch_to_wire(a_batch([a_window()], source_id="east/g"))
        for call in (
            follower.client.set_mode(Mode.ACTIVE),
            follower.client.usage.ReportUsage(iter([usage_pb2.ReportUsageRequest(batch=batch)])),
            follower.client.fleet.WatchCommands(
                fleet_pb2.WatchCommandsRequest(region="east", agent_id="a")
            ),
        ):
            error = await error_in(call)
            assert isinstance(error, NotLeader)
            assert error.leader == "one:7443"
        with pytest.raises(NotLeader):
            await follower.tick(Tick.REPLAN)


async def test_a_leader_on_any_free_port_is_named_with_the_port_that_it_got() -> None:
    feed = ChangeFeed()
    changes: dict[str, Any] = {"stores": memory_stores(SystemClock(), feed), "feed": feed}
    async with a_world(**changes) as leader, a_world(**changes) as follower:
        error = await error_in(follower.client.set_mode(Mode.ACTIVE))
        assert isinstance(error, NotLeader)
        assert error.leader == leader.plane.address
        assert not error.leader.endswith(":0")


async def test_a_control_plane_that_may_not_lead_does_not_start() -> None:
    leadership = Scripted()
    leadership.error = SecondControlPlane("held by another")
    stores = replace(memory_stores(SystemClock()), leadership=leadership)
    with pytest.raises(SecondControlPlane):
        async with a_world(stores=stores, lease=timedelta(milliseconds=1)):
            raise AssertionError("it started")


async def test_a_follower_serves_reads_and_watches() -> None:
    async with two_worlds() as (leader, follower):
        stream = follower.client.routing.WatchRoutes()
        subscription = routing_pb2.RouteSubscription(origin_region="east", gateway_id="g")
        await stream.write(routing_pb2.WatchRoutesRequest(subscribe=subscription))
        await leader.tick(Tick.REPLAN, Tick.REROUTE)
        assert (await heard(stream)).table.origin_region == "east"
        plan = await follower.client.plans.GetPlan(plan_pb2.GetPlanRequest())
        assert plan.plan.version == 1
        stream.cancel()


async def test_a_leader_that_stops_hands_over_at_once_and_versions_grow_on() -> None:
    async with two_worlds(term=TERM) as (leader, follower):
        await leader.tick(Tick.REPLAN)
        epoch = leader.plane.leader.epoch()
        await leader.plane.stop()
        await until(lambda: follower.plane.leader.leading)
        assert follower.plane.leader.epoch() > epoch
        await follower.tick(Tick.REPLAN)
        plan = follower.stores.plans.latest_plan()
        assert plan is not None
        assert plan.version == 2


class Scripted:
    """Leadership that answers as a test says."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.lease: Lease | None = Lease(
            holder="me", address="me:1", epoch=1, expires_at=NOON + timedelta(hours=1)
        )
        self.released: list[Lease] = []

    def acquire(self, holder: str, address: str, ttl: timedelta) -> Lease | None:
        if self.error is not None:
            raise self.error
        return self.lease

    def renew(self, lease: Lease, ttl: timedelta) -> Lease:
        if self.error is not None:
            raise self.error
        return lease

    def release(self, lease: Lease) -> None:
        self.released.append(lease)

    def current(self) -> Lease | None:
        return None


def a_leader(
    leadership: Scripted,
    term: timedelta = TERM,
    *,
    seconds: Callable[[], float] = monotonic_seconds,
) -> Leader:
    return Leader(leadership, name="me", term=term, seconds=seconds)


def test_a_second_control_plane_on_one_file_does_not_start() -> None:
    leadership = Scripted()
    leadership.error = SecondControlPlane("held by another")
    leader = a_leader(leadership, timedelta(milliseconds=1))
    with pytest.raises(SecondControlPlane):
        leader.start("me:1")
    leader.stop()


def test_a_lease_that_is_given_back_is_given_back_once() -> None:
    leadership = Scripted()
    leader = a_leader(leadership)
    leader.start("me:1")
    assert leader.epoch() == 1
    leader.stop()
    leader.stop()
    assert len(leadership.released) == 1
    with pytest.raises(NotLeader):
        leader.epoch()


async def test_a_store_that_is_away_for_a_moment_costs_no_leadership(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leadership = Scripted()
    leader = a_leader(leadership, timedelta(milliseconds=30), seconds=lambda: 0.0)
    leader.start("me:1")
    leadership.error = StorageUnavailable("the database does not answer")
    await until(lambda: "lease_not_renewed" in caplog.messages)
    assert leader.leading
    leader.stop()


async def test_a_lease_that_was_not_renewed_for_a_term_counts_no_more_until_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leadership, clock = Scripted(), [100.0]
    term = timedelta(milliseconds=30)
    leader = a_leader(leadership, term, seconds=lambda: clock[0])
    leader.start("me:1")
    leadership.error = StorageUnavailable("the database does not answer")
    await until(lambda: "lease_not_renewed" in caplog.messages)
    clock[0] += term.total_seconds()
    assert not leader.leading
    with pytest.raises(NotLeader, match="could not renew its lease") as refused:
        leader.epoch()
    assert refused.value.leader == ""
    leadership.error = None
    await until(lambda: leader.leading)
    assert leader.epoch() == 1
    leader.stop()
    assert len(leadership.released) == 1


async def test_a_failed_tick_says_why_and_the_next_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    async with a_world() as world:
        monkeypatch.setattr(world.deciders, "plan", _broken)
        ticks = world.plane._ticks
        await asyncio.to_thread(ticks.attempt, Tick.REPLAN, Tick.REROUTE)
        assert world.stores.plans.latest_plan() is None
        assert len(world.stores.routing.latest_tables()) == 2
        (failure,) = (r for r in caplog.records if r.getMessage() == "replan_failed")
        assert getattr(failure, FIELDS)["reason"] == "the solver has no licence"
        (done,) = (r for r in caplog.records if r.getMessage() == "reroute_done")
        assert getattr(done, FIELDS)["tables"] == 2


def _broken(_: Any) -> Any:
    raise RuntimeError("the solver has no licence")


async def test_a_leader_whose_epoch_is_over_writes_nothing() -> None:
    async with two_worlds() as (leader, _):
        lease = leader.stores.leadership.current()
        assert lease is not None
        leader.stores.leadership.release(lease)
        leader.stores.leadership.acquire("three", "three:7443", timedelta(hours=1))
        with pytest.raises(Fenced):
            await leader.tick(Tick.REPLAN)
        error = await error_in(leader.client.set_mode(Mode.ACTIVE))
        assert isinstance(error, Fenced)
        assert leader.stores.plans.latest_plan() is None


async def test_the_schedule_makes_a_new_leader_decide_at_once() -> None:
    async with a_world(scheduled=True) as world:
        await until(lambda: bool(world.stores.routing.latest_tables()))
        await until(lambda: world.stores.plans.latest_plan() is not None)
