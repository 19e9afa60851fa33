"""The agent's process: runs until SIGTERM or SIGINT, then finishes open work and disconnects."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from wsgiref.simple_server import WSGIServer

from heliostat.clock import SystemClock
from heliostat.errors import InvalidSettings
from heliostat.gc_tuning import collect_in_small_parts
from services.addresses import split_address
from services.agent.agent import Agent
from services.agent.bootstrap import build_agent
from services.agent.hands import hands_for
from services.agent.journal.brake_file import BrakeState
from services.agent.journal.operator import brake, request_adoption, set_brake
from services.agent.settings import AgentSettings
from services.leaving import ending_signals, leave
from services.log_events import log_json, say
from services.turns import take_short_turns
from services.wall_clock import wall_clock
from storage.catalogue_file import read_catalogue

_log = logging.getLogger(__name__)


def run(settings: AgentSettings) -> None:
    """Run one region's agent in this process until it is told to end.

    Raises what `build_agent` raises, and DataLoss when the journal breaks while it runs (the next start
    moves it aside).
    """
    log_json(settings.log_level)
    clock = wall_clock()
    catalogue = read_catalogue(settings.catalogue)
    agent = build_agent(
        settings,
        catalogue,
        now=clock.now(),
        hands_of=hands_for(settings, catalogue, clock.now),
    )
    asyncio.run(_live(agent, settings, clock))


def pause(journal: Path, *, author: str) -> None:
    """Pull the agent's brake: it carries out no order until `resume`. Needs no control plane."""
    set_brake(journal, paused=True, author=author, now=SystemClock().now())


def resume(journal: Path, *, author: str) -> None:
    """Release the agent's brake."""
    set_brake(journal, paused=False, author=author, now=SystemClock().now())


def status(journal: Path) -> BrakeState:
    """The agent's brake as it stands. Raises StorageUnavailable when there is no journal yet."""
    return brake(journal)


def adopt(journal: Path, vm_ids: list[str], *, author: str) -> None:
    """Ask the agent to take unknown VMs into the pools that their tags name."""
    request_adoption(journal, vm_ids, author=author, now=SystemClock().now())


async def _live(agent: Agent, settings: AgentSettings, clock: SystemClock) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ending_signals():
        loop.add_signal_handler(number, stop.set)
    grace_seconds = settings.shutdown_grace.total_seconds()
    metrics: WSGIServer | None = None
    ticked = True
    try:
        metrics = _metrics(agent, settings)
        await agent.start()
        collect_in_small_parts()
        take_short_turns()
        ticking = asyncio.create_task(
            agent.keep_ticking(clock.now, settings.tick.total_seconds(), stop)
        )
        ticked = await _ended(ticking, stop, grace_seconds)
    finally:
        say(_log, "agent_stopping", region=agent.region)
        await agent.stop(grace_seconds)
        if metrics is not None:
            metrics.shutdown()
            metrics.server_close()
    if not ticked:
        # The loop would wait for its thread; the journal says how the next life goes on.
        say(_log, "tick_left_running", level=logging.WARNING, region=agent.region)
        leave()


async def _ended(ticking: asyncio.Task[None], stop: asyncio.Event, grace_seconds: float) -> bool:
    """True when the ticking ended by itself, or within the grace once it was told to stop.

    Raises what it ended with.
    """
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({ticking, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    done, _ = await asyncio.wait({ticking}, timeout=grace_seconds)
    for task in done:
        task.result()
    return bool(done)


def _metrics(agent: Agent, settings: AgentSettings) -> WSGIServer | None:
    if not settings.metrics_listen:
        return None
    try:
        return agent.metrics.serve(*split_address(settings.metrics_listen))
    except OSError as error:
        raise InvalidSettings(
            "metrics_listen (HELIOSTAT_AGENT_METRICS_LISTEN)",
            f"cannot listen on {settings.metrics_listen}: {error.strerror}",
            remedy="choose another port, or set it empty for none",
        ) from None
