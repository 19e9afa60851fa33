"""What the agent learns of an engine over HTTP: how full it is, and what it did since the look before."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from services.agent.drivers.vm.cloud import EngineWork
from services.agent.engines import HttpProber
from services.agent.settings import ProbeSettings
from tests.builders import a_pool


class Engine(HTTPServer):
    """Answers `/health`, and on `/metrics` whatever a test wrote there."""

    metrics = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Engine

    def do_GET(self) -> None:
        body = self.server.metrics if self.path == "/metrics" else ""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.shutdown()
    engine.server_close()


def exposition(gaps: int, seconds: float, *, prefix: str = "vllm", more: str = "") -> str:
    name = f"{prefix}:inter_token_latency_seconds"
    return f"{name}_sum {seconds}\n{name}_count {gaps}\n{prefix}:prompt_tokens_total 70\n{more}"


def test_an_engines_work_is_what_its_counters_added_between_two_looks(engine: Engine) -> None:
    clock = iter([100.0, 110.0, 125.0])
    prober = HttpProber(ProbeSettings(), seconds=lambda: next(clock))
    engines = {engine.address: a_pool()}
    engine.metrics = exposition(1000, 30.0)
    first = prober.probe(engines)[engine.address]
    engine.metrics = exposition(1500, 45.0)
    second = prober.probe(engines)[engine.address]
    engine.metrics = ""
    third = prober.probe(engines)[engine.address]
    prober.close()
    assert first.work is None
    assert second.work == EngineWork(
        span_seconds=10.0, gaps=500.0, gap_seconds=15.0, prompt_tokens=0.0
    )
    assert third.work is None


@pytest.mark.parametrize(
    ("prefix", "more", "prefills"),
    [
        ("sglang", "", None),
        (
            "vllm",
            "vllm:request_prefill_time_seconds_sum 3\n"
            "vllm:request_prefill_time_seconds_count 4\n"
            "vllm:request_prompt_tokens_sum 900\n",
            0.0,
        ),
    ],
)
def test_engines_name_what_they_did_differently(
    engine: Engine, prefix: str, more: str, prefills: float | None
) -> None:
    prober = HttpProber(ProbeSettings())
    engine.metrics = exposition(10, 1.0, prefix=prefix, more=more)
    prober.probe({engine.address: a_pool()})
    work = prober.probe({engine.address: a_pool()})[engine.address].work
    prober.close()
    assert work is not None
    assert (work.gaps, work.prefills, work.prefill_tokens) == (0.0, prefills, prefills)
