"""`serve` as a process with its real parts: it starts on nothing, decides, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from heliostat.errors import InvalidSettings, SecondControlPlane
from heliostat.v1 import plan_pb2, routing_pb2
from services.control_plane.bootstrap import control_plane, file_to_make
from services.control_plane.plane import ControlPlane
from services.control_plane.settings import ControlPlaneSettings, load_settings
from services.control_plane.ticks import Tick
from tests.builders import NOON
from tests.support.planes import Client, a_channel, plane_settings

EXAMPLE = Path(__file__).parents[2] / "deploy/catalogue.yaml"
PROGRAM = """
import sys
from services.control_plane.bootstrap import serve
from services.control_plane.settings import load_settings
serve(load_settings(None, listen="127.0.0.1:0", metrics_listen="", page_listen=sys.argv[3],
                    database=sys.argv[1], catalogue=sys.argv[2], forecast_family="fast", workers=1))
"""


def _picture(url: str) -> dict[str, Any]:
    """What the web page shows."""
    with urlopen(f"{url}api/picture", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def settings_for(folder: Path, **changes: Any) -> ControlPlaneSettings:
    database = f"sqlite:///{folder}/heliostat.db"
    return plane_settings(
        database=database, catalogue=EXAMPLE, forecast_family="fast", workers=1, **changes
    )


def background_work() -> list[str]:
    """What control planes in this process do unasked, without the waits that come and go."""
    names = (getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())
    return sorted(name for name in names if name.startswith(("RouteHub.", "UsageIntake.")))


@asynccontextmanager
async def running(settings: ControlPlaneSettings) -> AsyncIterator[ControlPlane]:
    plane = control_plane(settings)
    await plane.start()
    try:
        yield plane
    finally:
        await plane.stop()


async def test_an_empty_history_gives_the_catalogues_floor_and_no_routes_for_regions_nobody_reported(
    tmp_path: Path,
) -> None:
    async with running(settings_for(tmp_path)) as plane, a_channel(plane.address) as channel:
        for tick in (Tick.REFRESH, Tick.REPLAN, Tick.REROUTE, Tick.SCORE, Tick.HOUSEKEEP):
            await plane.tick(tick, NOON)
        client = Client(channel)
        plan = (await client.plans.GetPlan(plan_pb2.GetPlanRequest())).plan
        assert plan.status == plan_pb2.PLAN_STATUS_FLOOR
        floors = {target.pool.model for target in plan.targets if target.replicas == 1}
        assert len(floors) == 4
        routes = await client.routing.GetRoutes(routing_pb2.GetRoutesRequest())
        assert not routes.tables


@pytest.mark.parametrize("name", ["first", "second"])
async def test_a_second_control_plane_on_one_file_is_refused_whatever_its_name(
    tmp_path: Path, name: str
) -> None:
    async with running(settings_for(tmp_path, name="first")):
        second = control_plane(settings_for(tmp_path, name=name, lease=timedelta(milliseconds=100)))
        with pytest.raises(SecondControlPlane):
            await second.start()


async def test_a_port_that_is_taken_is_named_and_nothing_keeps_running(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as plane:
        before = background_work()
        other = tmp_path / "other"
        other.mkdir()
        second = control_plane(settings_for(other, listen=plane.address))
        with pytest.raises(InvalidSettings, match="HELIOSTAT_LISTEN"):
            await second.start()
        assert background_work() == before


async def test_a_process_serves_until_it_is_told_to_end_and_logs_in_json(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        f"sqlite:///{tmp_path}/heliostat.db",
        str(EXAMPLE),
        "127.0.0.1:0",
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    page: dict[str, Any] = {}
    told = False
    async for line in process.stderr:
        lines.append(json.loads(line))
        if lines[-1]["event"] == "page_opened":
            page = lines[-1]
        seen = {line["event"] for line in lines}
        if not told and {"page_opened", "replan_done", "reroute_done"} <= seen:
            picture = await asyncio.to_thread(_picture, page["url"])
            assert picture["pulse"]["stage"] == "live"
            assert picture["plan"]["status"] == "floor"
            process.send_signal(signal.SIGTERM)
            told = True
    assert await process.wait() == 0
    events = [line["event"] for line in lines]
    assert (lines[0]["event"], lines[0]["level"]) == ("database_file_missing", "warning")
    assert lines[0]["file"] == f"{tmp_path}/heliostat.db"
    assert {"database_made", "lease_acquired", "control_plane_started"} <= set(events)
    assert events[-2:] == ["lease_released", "control_plane_stopped"]
    (plan,) = (line for line in lines if line["event"] == "replan_done")
    assert plan["outcome"] == "floor"
    assert plan["plan_version"] == 1
    with pytest.raises(URLError):
        _picture(page["url"])


def test_only_a_named_file_that_is_missing_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped path must not pass for a new database; the default needs no preparation."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.db").touch()
    assert file_to_make(load_settings()) is None
    assert file_to_make(load_settings(database="sqlite:///typo.db")) == tmp_path / "typo.db"
    assert file_to_make(load_settings(database=f"sqlite:///{tmp_path}/typo.db?timeout=5"))
    monkeypatch.setenv("HELIOSTAT_DATABASE", "sqlite:///typo.db")
    assert file_to_make(load_settings()) == tmp_path / "typo.db"
    for other in ("sqlite:///there.db", "sqlite:///no/folder.db", "memory", "postgresql://x/y"):
        assert file_to_make(load_settings(database=other)) is None


def test_an_empty_file_is_made_a_database_like_a_missing_one(tmp_path: Path) -> None:
    """What a full disk, or `touch`, leaves behind must not need a migration by hand."""
    (tmp_path / "heliostat.db").touch()
    plane = control_plane(settings_for(tmp_path))
    assert plane.stores.plans.latest_plan() is None
    asyncio.run(plane.stop())
