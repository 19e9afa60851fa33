"""The page as a Starlette application: one HTML page, its files, and the picture as JSON.

Everything comes from this package; the content security policy forbids every other host.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import NotFound
from services.dashboard.picture import to_json
from services.dashboard.read_model import ReadModel

HERE = Path(__file__).parent
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
)


def dashboard(model: ReadModel, catalogue: FleetCatalogue, *, title: str = "") -> Starlette:
    """The application; `title` says in a few words what is looked at."""
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
    page = templates.get_template("page.html").render(
        title=title or "the live fleet",
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
        picture = await run_in_threadpool(model.picture, focus)
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
        middleware=[Middleware(_Headers)],
    )


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
