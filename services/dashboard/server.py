"""Serves the page from a thread of its own, on an address that is known before it starts."""

from __future__ import annotations

import socket
from threading import Thread

import uvicorn
from starlette.applications import Starlette

from heliostat.errors import Unavailable


class PageServer:
    """A web server that is listening when `start` returns and gone when `stop` returns."""

    def __init__(self, app: Starlette, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host, self._port = host, port
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,  # the process says how it logs
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = Thread(target=self._run, name="page", daemon=True)
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/"

    def start(self) -> None:
        """Listen and serve. Raises Unavailable when the port is taken."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            raise Unavailable(
                f"port {self._port} on {self._host} cannot be used: {error.strerror}",
                remedy="choose another, or 0 for any free one",
            ) from None
        self._port = int(listener.getsockname()[1])
        self._socket = listener
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being answered, at most a second, and free the port; repeatable."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        if self._socket is not None:
            self._socket.close()

    def _run(self) -> None:
        assert self._socket is not None
        self._server.run(sockets=[self._socket])
