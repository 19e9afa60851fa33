"""A running control plane: starts its parts in order, and stops them in an order that loses nothing."""

from __future__ import annotations

import asyncio
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from heliostat.errors import InvalidSettings, Unavailable
from heliostat.loops.control import ControlLoop
from heliostat.ports.stores import Stores
from services.addresses import split_address, with_port
from services.control_plane.lanes import Lane
from services.control_plane.leader import Leader
from services.control_plane.metrics import Metrics, MetricsPage
from services.control_plane.operating_metrics import certificate_end
from services.control_plane.parts import Page, Parts, desk_of, forecasts_of, gate_of
from services.control_plane.schedule import Schedule
from services.control_plane.serving import Serving
from services.control_plane.settings import ControlPlaneSettings
from services.control_plane.ticks import Tick, Ticks
from services.log_events import say

_log = logging.getLogger(__name__)


class ControlPlane:
    """One control plane inside this process; start and stop it from a running event loop."""

    def __init__(self, parts: Parts, settings: ControlPlaneSettings) -> None:
        self._parts = parts
        self._settings = settings
        self.metrics = Metrics()
        self.loop = ControlLoop(
            stores=parts.stores,
            catalogue=parts.catalogue,
            deciders=parts.deciders,
            settings=parts.loop_settings,
        )
        self.leader = Leader(
            parts.stores.leadership,
            # Of this life alone: two containers of one name are both process 1.
            name=f"{settings.name}-{uuid.uuid4().hex}",
            term=settings.lease,
            on_change=self._leads,
        )
        self.metrics.leading.set_function(lambda: self.leader.leading)
        self._ticks = Ticks(
            self.loop,
            forecasts=forecasts_of(parts),
            stores=parts.stores,
            leader=self.leader,
            metrics=self.metrics,
            clock=parts.clock,
            regions=(region.name for region in parts.catalogue.regions),
        )
        if settings.tls is not None:
            self.metrics.watch(partial(certificate_end, settings.tls.certificate))
        self._schedule = Schedule(self._ticks, settings.cadence) if settings.scheduled else None
        self._tick_thread = ThreadPoolExecutor(len(Lane), thread_name_prefix="tick")
        self._metrics_page: MetricsPage | None = None
        self._serving: Serving | None = None
        self.left_working = False
        """True when `stop` left a thread that still works on something which counts no more; Python
        would wait for it."""

    async def start(self) -> None:
        """Serve. Raises SecondControlPlane, StorageUnavailable, InvalidSettings (cannot bind)."""
        try:
            serving = self._opened()
            address = self._settings.advertised(serving.port)
            await asyncio.to_thread(self.leader.start, address)
            await serving.start()
            if self._settings.metrics_listen:
                host, port = split_address(self._settings.metrics_listen)
                self._metrics_page = _metrics_page(self.metrics, host, port)
            if self._parts.page is not None:
                await asyncio.to_thread(_open, self._parts.page)
        except BaseException:  # whatever it was goes on; what has started must not stay
            await self.stop()
            raise
        if self._schedule is not None:
            self._schedule.start()
        say(_log, "control_plane_started", address=self.address, leading=self.leader.leading)

    def _opened(self) -> Serving:
        """The port first: a leader says where it is to be found. Nobody is answered before `start`."""
        desk = desk_of(
            self._parts,
            self._settings,
            loop=self.loop,
            leader=self.leader,
            metrics=self.metrics,
        )
        mute = self._parts.feed.subscribe(desk.bells.ring)
        self._serving = Serving(desk, gate_of(desk, self._settings), self._settings, mute)
        self._serving.bind()
        return self._serving

    async def stop(self) -> None:
        """End streams, keep what was heard, release the lease; repeatable.

        A running tick has the grace: half of it to finish, then what waits for workers is given up, and
        what still runs at the end is left alone. It can write nothing, since its epoch is over: a tick
        has committed or it has not.
        """
        self._ticks.close()
        if self._schedule is not None:
            self._schedule.stop()
        self._tick_thread.shutdown(wait=False)
        grace_seconds = self._settings.shutdown_grace.total_seconds()
        await asyncio.gather(self._end_tick(grace_seconds), self._end_serving(grace_seconds))
        await asyncio.to_thread(self.leader.stop)
        page, self._metrics_page = self._metrics_page, None
        if page is not None:
            await asyncio.to_thread(page.close)
        if self._parts.page is not None:
            await asyncio.to_thread(self._parts.page.stop)
        await asyncio.to_thread(self._parts.close)
        say(_log, "control_plane_stopped")

    async def _end_tick(self, grace_seconds: float) -> None:
        if await asyncio.to_thread(self._ticks.ended, grace_seconds / 2):
            return
        say(_log, "tick_given_up")
        self._parts.give_up()
        if not await asyncio.to_thread(self._ticks.ended, grace_seconds / 2):
            self.left_working = True
            say(_log, "tick_left_running", level=logging.WARNING)

    async def _end_serving(self, grace_seconds: float) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            await serving.stop(grace_seconds)
            self.left_working |= serving.thinks

    async def tick(self, tick: Tick, now: datetime) -> None:
        """Let a coordinator run one tick at its own instant, in the tick thread.

        Raises NotLeader, Fenced and whatever stopped the tick.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._tick_thread, self._ticks.run, tick, now)

    @property
    def stores(self) -> Stores:
        """What this control plane remembers, for those in the same process."""
        return self._parts.stores

    @property
    def address(self) -> str:
        """host:port on which it serves; the port is real also where any free one was asked for."""
        if self._serving is None:
            return self._settings.listen
        return with_port(self._settings.listen, self._serving.port)

    def _leads(self, leading: bool) -> None:
        if leading and self._schedule is not None:
            self._schedule.hurry()


def _metrics_page(metrics: Metrics, host: str, port: int) -> MetricsPage:
    try:
        return MetricsPage(metrics, host, port)
    except OSError as error:
        raise InvalidSettings(
            "metrics_listen (HELIOSTAT_METRICS_LISTEN)",
            f"cannot listen on {host}:{port}: {error.strerror}",
            remedy="choose another port, or set it empty for none",
        ) from None


def _open(page: Page) -> None:
    try:
        page.start()
    except Unavailable as error:
        raise InvalidSettings(
            "page_listen (HELIOSTAT_PAGE_LISTEN)",
            str(error.args[0]),
            remedy="choose another port, or set it empty for none",
        ) from None
    say(_log, "page_opened", url=page.url)
