"""The agent's own Prometheus metrics."""

from __future__ import annotations

from collections.abc import Callable
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server


class AgentMetrics:
    """One registry per agent; what is cheap to ask is asked at scrape time."""

    def __init__(self, region: str) -> None:
        self.registry = CollectorRegistry()
        self._region = region
        self.ticks = self._counter("ticks", "Successful ticks")
        self.failed_ticks = self._counter("failed_ticks", "Failed ticks")
        self.journal_losses = self._counter("journal_losses", "Damaged journals moved aside")

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """A gauge `heliostat_agent_<name>` that asks `value` at every scrape."""
        gauge = Gauge(f"heliostat_agent_{name}", what, ["region"], registry=self.registry)
        gauge.labels(self._region).set_function(value)

    def serve(self, host: str, port: int) -> WSGIServer:
        """`/metrics` on a thread of its own; shut it down at the end."""
        server, _ = start_http_server(port, addr=host, registry=self.registry)
        return server

    def _counter(self, name: str, what: str) -> Counter:
        counter = Counter(f"heliostat_agent_{name}", what, ["region"], registry=self.registry)
        return counter.labels(self._region)
