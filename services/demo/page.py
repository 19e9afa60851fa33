"""The page of a running demo: the dashboard over the demo's stores, with the rival beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from heliostat.errors import Unavailable
from heliostat.model.instants import Span
from services.dashboard.app import dashboard
from services.dashboard.picture import DispatchDay, Rivalry
from services.dashboard.read_model import ReadModel
from services.dashboard.server import PageServer
from services.demo.bootstrap import Cast
from services.demo.marks import Mark, rivalry
from services.demo.rival import Rival
from services.demo.settings import DEFAULT_PORT
from services.demo.witness import Tempo

TITLE = "a day on simulated clouds"
_FRESH_SECONDS = 0.5


def read_model(
    cast: Cast,
    tempo: Tempo,
    ours: Sequence[Mark],
    rival: Rival,
    dispatch: Callable[[], DispatchDay | None],
) -> ReadModel:
    """What the page shows; `ours` may grow while it is looked at."""

    def rivals(frame: Span) -> Rivalry:
        return rivalry(tuple(ours), rival.marks(), frame)

    return ReadModel(
        stores=cast.plane.stores,
        catalogue=cast.catalogue,
        pulse=tempo.pulse,
        rivalry=rivals,
        dispatch=dispatch,
        fresh_seconds=_FRESH_SECONDS,
    )


def open_page(model: ReadModel, cast: Cast, port: int) -> PageServer:
    """The page, served on loopback; any free port takes the default's place where that is taken.

    Raises Unavailable when another port was asked for and is taken.
    """
    app = dashboard(model, cast.catalogue, title=TITLE)
    page = PageServer(app, port=port)
    try:
        page.start()
    except Unavailable:
        if port != DEFAULT_PORT:
            raise
        page = PageServer(app, port=0)
        page.start()
    return page
