"""The page as a Starlette application: one HTML page, its files, and the picture as JSON.

Nothing can be changed through it. Everything comes from this package; the content security policy
forbids every other host.
"""

from __future__ import annotations

import logging
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import NotFound, Unavailable
from services.addresses import is_loopback
from services.dashboard.picture import to_json
from services.dashboard.read_model import ReadModel
from services.log_events import report

_log = logging.getLogger(__name__)
HERE = Path(__file__).parent
_ANY_PORT = 80
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
)


def dashboard(
    model: ReadModel,
    catalogue: FleetCatalogue,
    *,
    title: str = "live fleet",
    every_seconds: float = 1.0,
    local_only: bool = True,
) -> Starlette:
    """The application; `title` says in a few words what is looked at.

    A page asks for a new picture `every_seconds`. `local_only` refuses requests that call this
    machine by another name than loopback's: a foreign site could have made its own name lead here,
    and so read the answers in its visitors' browsers.
    """
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    page = templates.get_template("page.html").render(
        title=title,
        every_milliseconds=round(every_seconds * 1000),
        regions=[region.name for region in catalogue.regions],
        models=[
            {"name": spec.name, "tiers": [str(tier.tier) for tier in spec.tiers]}
            for spec in catalogue.models
        ],
    )

    async def show_page(request: Request) -> Response:
        return HTMLResponse(page)

    async def show_picture(request: Request) -> Response:
        asked = {key: request.query_params.get(key, "") for key in ("region", "model", "tier")}
        try:
            focus = model.focus(**asked)
        except NotFound as error:
            return JSONResponse({"error": str(error)}, status_code=404)
        try:
            picture = await run_in_threadpool(model.picture, focus)
        except Unavailable as error:
            report(_log, "picture_not_drawn", error)
            return JSONResponse({"error": str(error)}, status_code=503)
        return JSONResponse(to_json(picture))

    async def show_health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/", show_page),
            Route("/api/picture", show_picture),
            Route("/health", show_health),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(_Headers), *([Middleware(_LocalNames)] if local_only else [])],
    )


class _LocalNames:
    """Refuses requests to any name but loopback's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_local(Headers(scope=scope).get("host", "")):
            said = {"error": "this page accepts loopback host names only"}
            await JSONResponse(said, status_code=421)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_local(host: str) -> bool:
    """True for `localhost`, `127.0.0.1:8321`, `[::1]`."""
    return is_loopback(host) or is_loopback(f"{host}:{_ANY_PORT}")


class _Headers:
    """Adds our headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        await self._app(scope, receive, with_headers)
