"""Looks at engines over HTTP: `/health` for readiness, `/metrics` for how full they are."""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from heliostat.clock import monotonic_seconds
from heliostat.model.names import PoolKey
from services.agent.drivers.vm.cloud import EngineReading, EngineWork
from services.agent.metrics_reader import CounterMemory, Scrape, parse_metrics
from services.agent.settings import ProbeSettings
from services.log_events import report

_log = logging.getLogger(__name__)

_LARGEST_ANSWER = 4 * 1024 * 1024
_SPAN = "span_seconds"
_WORK = ("gaps", "gap_seconds", "prompt_tokens", "prefills", "prefill_seconds", "prefill_tokens")

Heard = Callable[[str, PoolKey, Mapping[str, float | None]], None]
"""Called with an engine's address, its pool and what its counters added since the look before."""


class HttpProber:
    """Implements EngineProber."""

    def __init__(
        self,
        settings: ProbeSettings,
        heard: Heard | None = None,
        seconds: Callable[[], float] = monotonic_seconds,
    ) -> None:
        """`seconds`: a clock for the time between two looks at an engine."""
        self._settings = settings
        self._heard = heard
        self._seconds = seconds
        self._memory = CounterMemory()
        self._threads = ThreadPoolExecutor(settings.parallel, thread_name_prefix="probe")

    def probe(self, engines: Mapping[str, PoolKey]) -> Mapping[str, EngineReading]:
        self._memory.keep_only(engines)
        looks = self._threads.map(lambda item: self._look(*item), engines.items())
        return {
            address: self._reading(address, engines[address], *look)
            for address, look in zip(engines, looks, strict=True)
        }

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(cancel_futures=True)

    def _look(self, address: str, pool: PoolKey) -> tuple[bool, Scrape | None, float]:
        """Whether it is healthy, what it said if it said anything, and when."""
        healthy = self._get(address, "/health") is not None
        if healthy and self._settings.check_model:
            healthy = pool.model in _model_ids(self._get(address, "/v1/models"))
        text = self._get(address, "/metrics") if healthy else None
        at = self._seconds()
        if text is None:
            return healthy, None, at
        try:
            return healthy, parse_metrics(text), at
        except ValueError as error:
            report(_log, "metrics_unreadable", error, engine=address)
            return healthy, None, at

    def _reading(
        self, address: str, pool: PoolKey, healthy: bool, scrape: Scrape | None, at: float
    ) -> EngineReading:
        if scrape is None:
            return EngineReading(healthy=healthy)
        # The clock is one more counter: its increase is the span of all others.
        added = self._memory.added(address, {**scrape.counters, _SPAN: at})
        span = added.pop(_SPAN)
        if self._heard is not None:
            self._heard(address, pool, added)
        return EngineReading(
            healthy=healthy,
            running_requests=scrape.running_requests,
            waiting_requests=scrape.waiting_requests,
            kv_occupancy=scrape.kv_occupancy,
            queue_seconds=_per(added.get("queue_seconds"), added.get("queued_requests")),
            work=_work(span, added),
        )

    def _get(self, address: str, path: str) -> str | None:
        """The body of a 200 answer, else None."""
        connection = http.client.HTTPConnection(
            address, timeout=self._settings.timeout.total_seconds()
        )
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read(_LARGEST_ANSWER)
            return body.decode("utf-8", "replace") if answer.status == http.client.OK else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def _work(span: float | None, added: Mapping[str, float | None]) -> EngineWork | None:
    """None when there was no look before, or nothing is measured."""
    found = {name: added.get(name) for name in _WORK}
    if not span or all(value is None for value in found.values()):
        return None
    return EngineWork(span_seconds=span, **found)


def _model_ids(text: str | None) -> set[str]:
    try:
        return {str(model["id"]) for model in json.loads(text or "{}").get("data", [])}
    except (ValueError, TypeError, KeyError, AttributeError):
        return set()


def _per(total: float | None, count: float | None) -> float | None:
    return None if total is None or not count else total / count
