"""What moto leaves out of EC2, as a layer in front of it: client tokens, shortages, throttling, lost answers.

Wraps moto's WSGI application. Regions are read off each request's signature scope. Everything is told by
attributes, so that a test scripts it from the same process.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import moto.backends as moto_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
_TEXT = ("Content-Type", "text/xml")


@dataclass
class RegionFaults:
    """What goes wrong in one AWS region."""

    free_vms: int | None = None
    """None = as many as one likes; RunInstances takes from it."""
    vm_limit: int | None = None
    """More VMs than that are VcpuLimitExceeded; counts what was ever sold."""
    away: bool = False
    """True = the whole API answers 503."""
    sold: int = 0
    errors: dict[str, deque[str]] = field(default_factory=dict)
    """Per action: codes that its next calls are answered with, before anything happens."""
    lost_answers: Counter[str] = field(default_factory=Counter)
    """Per action: so many of its next calls happen, and the answer is a 500."""
    calls: Counter[str] = field(default_factory=Counter)
    tokens: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Client token → parameters and answer of its first call."""

    def fail_next(self, action: str, *codes: str) -> None:
        self.errors.setdefault(action, deque()).extend(codes)


class CloudFaults:
    """The WSGI layer; `region(name)` scripts one region."""

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner
        self._regions: dict[str, RegionFaults] = {}
        self._turn = threading.RLock()

    def region(self, name: str) -> RegionFaults:
        return self._regions.setdefault(name, RegionFaults())

    def forget(self) -> None:
        self._regions.clear()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        with self._turn:
            return self._answer(environ, start)

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        if scope is None:
            return self._inner(environ, start)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        action = form.get("Action") or target.rpartition(".")[2]
        faults = self.region(scope[1])
        faults.calls[action] += 1
        if faults.away:
            return _error(start, "ServiceUnavailable", status="503 Away", as_json=bool(target))
        if faults.errors.get(action):
            return _error(start, faults.errors[action].popleft(), as_json=bool(target))
        if action == "RunInstances":
            return self._run(faults, form, environ, start)
        answer = self._pass(environ, body)
        if faults.lost_answers[action] > 0:
            faults.lost_answers[action] -= 1
            return _error(start, "InternalError", status="500 Lost")
        return answer(start)

    def _run(
        self,
        faults: RegionFaults,
        form: dict[str, str],
        environ: WSGIEnvironment,
        start: StartResponse,
    ) -> Iterable[bytes]:
        token = form.get("ClientToken", "")
        asked = urlencode(sorted(form.items()))
        if token in faults.tokens:
            first, answer = faults.tokens[token]
            if first != asked:
                return _error(start, "IdempotentParameterMismatch")
            return _ok(start, answer)
        asked_for = int(form["MaxCount"])
        if faults.vm_limit is not None and faults.sold + asked_for > faults.vm_limit:
            return _error(start, "VcpuLimitExceeded")
        granted = asked_for if faults.free_vms is None else min(asked_for, faults.free_vms)
        if granted < int(form["MinCount"]):
            return _error(start, "InsufficientInstanceCapacity")
        # EC2 gives as many as it can up to MaxCount, moto gives MinCount.
        form = {**form, "MinCount": str(granted), "MaxCount": str(granted)}
        status, body = self._pass(environ, urlencode(form).encode()).got
        if not status.startswith("200"):
            start(status, [_TEXT])
            return [body]
        got = body.count(b"<instanceId>")
        faults.sold += got
        if faults.free_vms is not None:
            faults.free_vms -= got
        if token:
            faults.tokens[token] = (asked, body)
        if faults.lost_answers["RunInstances"] > 0:
            faults.lost_answers["RunInstances"] -= 1
            return _error(start, "InternalError", status="500 Lost")
        return _ok(start, body)

    def _pass(self, environ: WSGIEnvironment, body: bytes) -> _Kept:
        inside = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return _Kept(self._inner, inside)


class _Kept:
    """moto's answer, kept until we know whether it may be heard."""

    def __init__(self, inner: WSGIApplication, environ: WSGIEnvironment) -> None:
        said: list[Any] = []

        def start(status: str, headers: Any, _: Any = None) -> Callable[[bytes], object]:
            said[:] = [status, headers]
            return lambda _: None

        body = b"".join(inner(environ, start))
        self.got: tuple[str, bytes] = (said[0], body)
        self._headers = said[1]

    def __call__(self, start: StartResponse) -> Iterable[bytes]:
        start(self.got[0], self._headers)
        return [self.got[1]]


def _ok(start: StartResponse, body: bytes) -> Iterable[bytes]:
    start("200 OK", [_TEXT])
    return [body]


def _error(
    start: StartResponse, code: str, *, status: str = "400 Refused", as_json: bool = False
) -> Iterable[bytes]:
    if as_json:
        start(status, [("Content-Type", "application/x-amz-json-1.1")])
        return [f'{{"__type": "{code}", "message": "scripted"}}'.encode()]
    start(status, [_TEXT])
    text = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>scripted</Message></Error></Errors>"
        "<RequestID>scripted</RequestID></Response>"
    )
    return [text.encode()]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class FaultyCloud:
    """moto behind the fault layer, on a loopback port, in a thread of this process."""

    def __init__(self) -> None:
        self.faults = CloudFaults(DomainDispatcherApplication(create_backend_app))
        self._server = make_server("127.0.0.1", 0, self.faults, handler_class=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def reset(self) -> None:
        """An empty cloud without faults."""
        self.faults.forget()
        for service in ("ec2", "ssm"):
            for region_backends in moto_backends.get_backend(service).values():
                for backend in region_backends.values():
                    backend.reset()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
