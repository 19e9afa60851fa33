"""Client commands against a running control plane: what an operator types, and what is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from heliostat.clock import SystemClock
from heliostat.model.command import Acknowledgement, CommandProgress, CommandState
from heliostat.model.fleet import BacklogGroup, BatchBacklog, PoolObservation
from heliostat.model.forecast import Champion
from heliostat.model.governance import Mode
from heliostat.model.instants import floor_to
from heliostat.model.names import ModelName, PoolKey, RegionName
from heliostat.v1 import usage_pb2
from services.cli.certificates import CertificateMaker
from services.control_plane.ticks import Tick
from services.identity import Identity, Role
from services.translation.usage import batch_to_wire
from tests.builders import MINUTE, NOON, a_batch, a_forecast, a_pool, a_window, an_observation
from tests.cli.running import Ran, heliostat
from tests.support.certificates import Authority
from tests.support.planes import World, a_world
from tests.support.waiting import until

POOL = a_pool()


class Desk:
    """An operator's shell that talks to one control plane."""

    def __init__(self, world: World, *options: object) -> None:
        self.world = world
        self._options = options or ("--address", world.plane.address)

    async def __call__(self, *arguments: object) -> Ran:
        return await asyncio.to_thread(heliostat, *arguments, *self._options)

    async def json(self, *arguments: object) -> Any:
        ran = await self(*arguments, "--json")
        assert ran.code == 0, ran.err
        return ran.json


@asynccontextmanager
async def a_desk(**changes: Any) -> AsyncIterator[Desk]:
    """At the present, since expiries are typed as lengths of time from now."""
    async with a_world(at=SystemClock().now(), **changes) as world:
        yield Desk(world)


async def test_a_fresh_control_plane_says_that_nothing_is_there_yet() -> None:
    async with a_desk() as desk:
        for arguments, sentence in (
            (("plan", "get"), None),
            (("route", "get"), "No routing table has been published yet"),
            (("usage", "query"), "No usage between"),
            (("forecast", "get"), "No forecasts for these series yet"),
            (("forecast", "accuracy"), "No forecast has been scored yet"),
            (("fleet", "overrides"), "No overrides are in force"),
            (("fleet", "commands"), "No commands match"),
            (("fleet", "get"), "No pool has replicas"),
            (("mode", "get"), "advisory everywhere. Plans are not ordered; manual orders are."),
        ):
            ran = await desk(*arguments)
            if sentence is None:
                assert ran.code == 71
                assert "Traceback" not in ran.err
            else:
                assert ran.code == 0, ran.err
                assert sentence in " ".join(ran.out.split())


async def test_a_mode_is_set_with_its_reason_and_read_back() -> None:
    async with a_desk() as desk:
        ran = await desk("mode", "set", "active", "--reason", "go live", "--dry-run")
        assert "would be active" in ran.out
        assert (await desk.json("mode", "get"))["settings"] == []
        await desk("mode", "set", "active", "--reason", "go live")
        answer = await desk.json("mode", "get")
        assert answer["effective"] == {"east": "active", "west": "active"}
        assert answer["settings"][0]["reason"] == "go live"
        stale = await desk("mode", "set", "paused", "--reason", "x", "--etag", "stale")
        assert stale.code == 72


async def test_a_scale_order_becomes_a_command_with_an_override() -> None:
    async with a_desk(targets={POOL: 3}) as desk:
        await desk.world.client.set_mode(Mode.ACTIVE)
        dry = await desk("fleet", "scale", POOL, 4, "--reason", "launch", "--dry-run")
        assert "Nothing was ordered" in dry.out
        assert (await desk.json("fleet", "commands"))["commands"] == []
        answer = await desk.json("fleet", "scale", POOL, 4, "--reason", "launch", "--for", "2h")
        assert answer["command"]["order"]["target_replicas"] == 4
        (override,) = answer["overrides"]
        assert override["target_replicas"] == 4
        shown = await desk("fleet", "commands")
        assert "east/alpha/small" in shown.out
        assert "launch" in shown.out
        assert max(map(len, shown.out.splitlines())) <= 80
        overrides = await desk("fleet", "overrides")
        assert "launch" in overrides.out
        ended = await desk("fleet", "cancel", override["override_id"], "--override")
        assert "the planner decides again" in " ".join(ended.out.split())
        cancelled = await desk("fleet", "cancel", "1")
        assert "cancelled" in cancelled.out
        assert (await desk("fleet", "cancel", "1")).code == 71


async def test_an_order_without_an_override_says_what_may_change_it() -> None:
    async with a_desk(targets={POOL: 3}) as desk:
        ran = await desk("fleet", "scale", POOL, 4, "--reason", "launch")
        said = " ".join(ran.out.split())
        assert "No override was set. In advisory mode the order stands until" in said
        await desk.world.tick(Tick.REPLAN)
        assert len((await desk.json("fleet", "commands"))["commands"]) == 1, "no plan undid it"


async def test_an_override_ends_by_its_pool_as_well_and_a_pool_without_one_says_so() -> None:
    async with a_desk(targets={POOL: 3}) as desk:
        await desk.world.client.set_mode(Mode.ACTIVE)
        await desk("fleet", "scale", POOL, 4, "--reason", "launch")
        assert f"cancel --override {POOL}" in (await desk("fleet", "overrides")).out
        ended = await desk.json("fleet", "cancel", "--override", POOL)
        assert PoolKey(**ended["override"]["pool"]) == POOL
        again = await desk("fleet", "cancel", "--override", POOL)
        assert again.code == 66
        assert "fleet overrides" in again.err
        assert (await desk("fleet", "cancel", "--override", "no/pool")).code == 65


async def test_what_nobody_observed_is_shown_as_not_measured() -> None:
    async with a_desk() as desk:
        (row,) = (
            line
            for line in (await desk("fleet", "get", "--all")).out.splitlines()
            if line.startswith(f"{POOL} ")
        )
        assert row.split() == [str(POOL), *["–"] * 6, "missing"]


async def test_vms_that_an_agent_does_not_know_are_listed_with_what_to_do() -> None:
    strangers = tuple(f"i-{number:017x}" for number in range(40))
    async with a_desk() as desk:
        assert "Unknown VMs" not in (await desk("fleet", "get")).out
        now = desk.world.clock.now()
        seen = PoolObservation(pool=POOL, ready=2)
        desk.world.stores.fleet.observe(an_observation(seen, at=now, unknown_vms=strangers), now)
        shown = await desk("fleet", "get")
        words = shown.out.split()
        assert all(stranger in words for stranger in strangers), "whole, to be copied"
        assert "heliostat agent adopt <VM> …" in " ".join(words)
        assert max(map(len, shown.out.splitlines())) <= 80
        (report,) = (await desk.json("fleet", "get"))["fleet"]["reports"]
        assert (report["region"], tuple(report["unknown_vms"])) == ("east", strangers)
        assert (await desk.json("fleet", "get", "--region", "west"))["fleet"]["reports"] == []


async def test_batch_requests_that_wait_are_shown_where_that_is_known() -> None:
    async with a_desk() as desk:
        now = desk.world.clock.now()
        waiting = BatchBacklog(
            region=RegionName("east"),
            model=POOL.model,
            groups=(BacklogGroup(due=floor_to(now, MINUTE), requests=1234),),
        )
        nothing = BatchBacklog(region=RegionName("east"), model=ModelName("beta"))
        seen = an_observation(at=now, batch_backlog=(waiting, nothing))
        desk.world.stores.fleet.observe(seen, now)
        shown = (await desk("fleet", "get")).out
        assert "Waiting batch requests" in shown
        assert "1,234" in shown
        assert "beta" not in shown
        assert "beta" in (await desk("fleet", "get", "--all")).out.split()
        (first, second) = (await desk.json("fleet", "get"))["fleet"]["batch_backlog"]
        assert (first["groups"][0]["requests"], second["groups"]) == (1234, [])


async def test_the_audit_log_is_shown_and_filtered() -> None:
    async with a_desk() as desk:
        await desk("mode", "set", "active", "--reason", "go live")
        await desk("fleet", "scale", POOL, 2, "--reason", "launch")
        await desk("fleet", "scale", POOL, 10**6, "--reason", "too many")
        shown = await desk("audit", "list")
        words = " ".join(shown.out.split())
        assert "active: go live" in words
        assert "→ 2: launch" in words
        assert max(map(len, shown.out.splitlines())) <= 80
        answer = await desk.json("audit", "list", "--action", "scale-pool", "--start", "-1h")
        assert [one["outcome"] for one in answer["records"]] == ["done", "refused: INVALID_INPUT"]
        assert {one["author"] for one in answer["records"]} == {"admin:local"}
        assert answer["records"][0]["number"] < answer["records"][1]["number"]
        few = await desk("audit", "list", "--limit", 1)
        assert "Only the oldest 1 records" in few.err
        assert "begin later with --start" in " ".join(few.err.split())
        none = await desk("audit", "list", "--author", "operator:bob")
        assert "No changes between" in none.out


async def test_a_request_id_repeated_orders_nothing_twice() -> None:
    async with a_desk() as desk:
        await desk.world.client.set_mode(Mode.ACTIVE)
        order = ("fleet", "scale", POOL, 2, "--reason", "r", "--request-id", "abc")
        first, again = await desk.json(*order), await desk.json(*order)
        assert first["command"]["command_id"] == again["command"]["command_id"]
        other = await desk("fleet", "scale", POOL, 5, "--reason", "r", "--request-id", "abc")
        assert other.code == 73


async def test_lists_go_over_pages_and_stop_at_the_limit() -> None:
    async with a_desk() as desk:
        await desk.world.client.set_mode(Mode.ACTIVE)
        for target in (1, 2, 3):
            await desk("fleet", "scale", POOL, target, "--reason", "r")
        everything = await desk.json("fleet", "commands")
        targets = [one["order"]["target_replicas"] for one in everything["commands"]]
        assert (targets, everything["total"]) == ([3, 2, 1], 3)
        newest = await desk.json("fleet", "commands", "--limit", 2)
        assert newest == {"commands": everything["commands"][:2], "total": 3}
        said = (await desk("fleet", "commands", "--limit", 2)).out
        assert "1 older ones not shown; --limit 3 shows all." in " ".join(said.split())
        assert "not shown" not in (await desk("fleet", "commands")).out
        cancelled = await desk.json("fleet", "commands", "--state", "cancelled", "--region", "east")
        assert (len(cancelled["commands"]), cancelled["total"]) == (2, 2)


async def test_overrides_are_listed_newest_first_and_say_how_many_more_there_are() -> None:
    async with a_desk() as desk:
        await desk.world.client.set_mode(Mode.ACTIVE)
        pools = [str(a_pool(region, model)) for region in ("east", "west") for model in ("beta",)]
        for minutes, pool in enumerate([*pools, str(POOL)]):
            desk.world.clock.advance_to(desk.world.clock.now() + minutes * MINUTE)
            await desk("fleet", "scale", pool, 2, "--reason", "r")
        shown = await desk.json("fleet", "overrides", "--limit", 2)
        assert shown["total"] == 3
        ages = [one["created_at"] for one in (await desk.json("fleet", "overrides"))["overrides"]]
        assert ages == sorted(ages, reverse=True)
        assert [one["created_at"] for one in shown["overrides"]] == ages[:2]
        said = (await desk("fleet", "overrides", "--limit", 2)).out
        assert "1 older ones not shown" in " ".join(said.split())


async def test_waiting_stays_until_the_agent_has_ended_the_command() -> None:
    async with a_desk() as desk:
        await desk.world.client.set_mode(Mode.ACTIVE)
        order = asyncio.create_task(
            desk("fleet", "scale", POOL, 2, "--reason", "r", "--wait", "--json")
        )
        outbox = desk.world.stores.outbox
        await until(lambda: bool(outbox.commands()))
        (command,) = outbox.commands()
        word = Acknowledgement(
            command_id=command.command_id,
            region=RegionName("east"),
            state=CommandState.LEASED,
            at=desk.world.clock.now(),
            progress=CommandProgress(loading=2),
        )
        outbox.acknowledge(word)
        outbox.acknowledge(replace(word, state=CommandState.APPLIED, detail="done"))
        ran = await order
        # The answer to the order itself says "pending": only who waited has heard the end.
        assert ran.json["command"]["state"] == "applied"
        assert ran.json["command"]["outcome"] == "done"


async def test_a_redeploy_takes_absolute_counts_for_both_pools() -> None:
    async with a_desk() as desk:
        await desk.world.client.set_mode(Mode.ACTIVE)
        source, destination = f"{POOL}=1", f"{a_pool(model='beta')}=3"
        answer = await desk.json("fleet", "redeploy", source, destination, "--reason", "shift")
        order = answer["command"]["order"]
        assert (order["source_target"], order["destination_target"]) == (1, 3)
        bad = await desk("fleet", "redeploy", "east/alpha/small", destination, "--reason", "r")
        assert bad.code == 65


async def test_a_plan_is_shown_explained_proposed_and_approved() -> None:
    async with a_desk(targets={POOL: 3}) as desk:
        await desk.world.tick(Tick.REPLAN)
        shown = await desk("plan", "get")
        assert "east/alpha/small" in shown.out
        assert max(map(len, shown.out.splitlines())) <= 80
        plan = await desk.json("plan", "get", 1)
        assert plan["version"] == 1
        explained = await desk("plan", "explain", POOL)
        assert "target" in explained.out
        proposed = await desk.json(
            "plan", "propose", "--demand", 2, "--lost-region", "west", "--quota", "east/small=9"
        )
        assert proposed["version"] == 0
        approved = await desk.json("plan", "approve", 1)
        assert approved["commands"]
        assert (await desk("plan", "get", 9)).code == 66
        assert (await desk("plan", "explain", "east/alpha")).code == 65
        unknown = await desk("plan", "propose", "--lost-region", "moon")
        assert unknown.code == 66
        assert "east, west" in unknown.err


async def test_routes_are_shown_and_watched_line_by_line() -> None:
    async with a_desk(targets={POOL: 3}) as desk:
        await desk.world.tick(Tick.REPLAN, Tick.REROUTE)
        shown = await desk("route", "get", "--region", "east")
        assert "east: version" in shown.out
        watched = await desk("route", "watch", "east", "--tables", 1, "--json")
        assert watched.code == 0, watched.err
        (line,) = watched.out.splitlines()
        assert json.loads(line)["origin"] == "east"
        shown = await desk("route", "get", "--region", "east", "--json")
        assert shown.json["gateways"] == [], "who looks on is no gateway"
        assert (await desk("route", "get", "--region", "moon")).code == 66


async def test_usage_is_queried_with_missing_measurements_as_null() -> None:
    async with a_desk() as desk:
        start = _minute(desk.world.clock.now() - timedelta(minutes=10))
        batch = a_batch(
            [
                a_window(
                    start, offered=9, admitted=9, completed=9, input_tokens=None, output_tokens=None
                )
            ]
        )
        request = usage_pb2.ReportUsageRequest(batch=batch_to_wire(batch))
        assert [answer async for answer in desk.world.client.usage.ReportUsage(iter([request]))]
        answer = await desk.json("usage", "query", "--start", "-1h", "--bucket", "1m")
        (bucket,) = answer["buckets"]
        assert bucket["offered"] == 9
        assert bucket["input_tokens"] is None
        assert answer["bucket_seconds"] == 60
        shown = await desk("usage", "query", "--latency")
        assert "–" in shown.out
        assert max(map(len, shown.out.splitlines())) <= 80
        assert (await desk("usage", "query", "--bucket", "90s")).code == 65
        assert (await desk("usage", "query", "--region", "moon")).code == 66


async def test_forecasts_and_champions_are_shown() -> None:
    async with a_world(at=NOON) as world:
        desk = Desk(world)
        forecast, epoch = a_forecast(), world.plane.leader.epoch()
        world.stores.forecasts.store([forecast], epoch=epoch)
        champion = Champion(
            key=forecast.key,
            method="harmonic",
            since=NOON,
            reason="best",
            losses=(("harmonic", 1.0),),
        )
        world.stores.forecasts.store_champions([champion], epoch=epoch)
        shown = await desk("forecast", "get", "--steps", 2)
        assert str(forecast.key) in shown.out
        answer = await desk.json("forecast", "get")
        assert answer["forecasts"][0]["method"] == forecast.method
        accuracy = await desk("forecast", "accuracy")
        assert "harmonic" in accuracy.out


async def test_certificates_that_we_made_open_the_door_and_roles_close_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.server()
    operator = authority.client(Identity(role=Role.OPERATOR, name="anna"))
    async with a_world(at=SystemClock().now(), tls=tls, credentials=operator) as world:
        maker = CertificateMaker(tmp_path, now=SystemClock().now(), valid=timedelta(days=1))
        maker.make(servers=["localhost"], clients=["gateway/east/g", "operator/anna"])
        port = world.plane.address.rsplit(":", 1)[1]

        def as_(stem: str) -> Desk:
            return Desk(
                world,
                *("--address", f"localhost:{port}", "--tls-ca", tmp_path / "ca.pem"),
                *(
                    "--tls-cert",
                    tmp_path / f"{stem}.pem",
                    "--tls-key",
                    tmp_path / f"{stem}-key.pem",
                ),
            )

        anna, gateway = as_("operator-anna"), as_("gateway-east-g")
        assert (await anna("mode", "set", "active", "--reason", "r")).code == 0
        refused = await gateway("mode", "set", "paused", "--reason", "r")
        assert refused.code == 77
        assert "SetMode" in refused.err
        nobody = Desk(world, "--address", f"localhost:{port}")
        assert (await nobody("mode", "get")).code == 69


async def test_nobody_at_the_address_is_one_sentence_with_a_remedy() -> None:
    async with a_desk() as desk:
        address = desk.world.plane.address
        await desk.world.plane.stop()
        ran = await asyncio.to_thread(heliostat, "mode", "get", "--address", address)
        assert ran.code == 69
        assert "does not answer" in ran.err
        assert "Traceback" not in ran.err


def _minute(instant: datetime) -> datetime:
    return floor_to(instant, MINUTE)
