"""The page of a running control plane: a window that moves with the clock, open as long as it runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import HeliostatError
from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span, floor_to
from heliostat.ports.clock import Clock
from heliostat.ports.stores import Stores
from services.addresses import is_loopback, split_address
from services.dashboard.app import dashboard
from services.dashboard.picture import Pulse
from services.dashboard.read_model import ReadModel
from services.dashboard.server import PageServer
from services.log_events import report

_log = logging.getLogger(__name__)

LOOK_BACK = timedelta(hours=18)
LOOK_AHEAD = timedelta(hours=6)
_PICTURE_EVERY_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 300.0
"""What stands is stored only as it is now: its line is drawn from looks, a few in each bucket."""


def live_pulse(clock: Clock) -> Callable[[], Pulse]:
    """The pulse of a process that runs on real time: a window that moves with the clock."""

    def pulse() -> Pulse:
        now = clock.now()
        bucket = floor_to(now, BUCKET)
        frame = Span(bucket - LOOK_BACK, bucket + LOOK_AHEAD)
        return Pulse(now=now, frame=frame, speed=1.0, stage="live")

    return pulse


class LivePage:
    """Serves the page from `start` to `stop`, and keeps its data current without readers."""

    def __init__(
        self, *, stores: Stores, catalogue: FleetCatalogue, clock: Clock, listen: str
    ) -> None:
        """`listen` = host:port; beyond loopback every caller of the port can read the page."""
        self._model = ReadModel(
            stores=stores,
            catalogue=catalogue,
            pulse=live_pulse(clock),
            fresh_seconds=_PICTURE_EVERY_SECONDS / 2,
        )
        app = dashboard(
            self._model,
            catalogue,
            every_seconds=_PICTURE_EVERY_SECONDS,
            local_only=is_loopback(listen),
        )
        host, port = split_address(listen)
        self._server = PageServer(app, host=host, port=port)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="page-looks", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is; the port is real once started."""
        return self._server.url

    def start(self) -> None:
        """Listen and serve. Raises Unavailable when the port is taken."""
        self._server.start()
        self._thread.start()

    def stop(self) -> None:
        """Serve no more, and let go of the stores; repeatable."""
        self._stopping.set()
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _keep_looking(self) -> None:
        while not self._stopping.is_set():
            try:
                self._model.look()
            except HeliostatError as error:
                report(_log, "page_look_failed", error)
            self._stopping.wait(_LOOK_EVERY_SECONDS)
