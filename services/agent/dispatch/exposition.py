"""Prometheus metrics of the dispatcher, read at every scrape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from heliostat.model.names import RegionName
from services.agent.dispatch.service import DispatchRoom


class DispatchCollector(Collector):
    """`heliostat_dispatch_…{region}` of one room."""

    def __init__(self, region: RegionName, room: DispatchRoom) -> None:
        self._region = region
        self._room = room

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Counters by outcome, gauges of what is open, and what was expected beside what was measured."""
        room = self._room
        decisions = CounterMetricFamily(
            "heliostat_dispatch_decisions",
            "Decisions by outcome; an ask may get several in sequence",
            labels=["region", "outcome"],
        )
        for outcome, count in asdict(room.tally.counts).items():
            decisions.add_metric([self._region, outcome], count)
        yield decisions
        seen = room.foresight
        for name, what, total in (
            ("judged_ttft", "Requests with an expected and a measured TTFT", seen.requests),
            ("expected_ttft_seconds", "Sum of their expected TTFT", seen.expected_seconds),
            ("measured_ttft_seconds", "Sum of their measured TTFT", seen.measured_seconds),
            ("ttft_error_seconds", "Sum of their absolute differences", seen.missed_by_seconds),
        ):
            counter = CounterMetricFamily(f"heliostat_dispatch_{name}", what, labels=["region"])
            counter.add_metric([self._region], total)
            yield counter
        for name, what, level in (
            ("booked_requests", "Requests that hold a place", room.booked),
            ("held_requests", "Interactive requests that wait for a place", room.held),
            ("batch_waiting_requests", "Batch requests that wait on disk", room.batch_waiting),
        ):
            gauge = GaugeMetricFamily(f"heliostat_dispatch_{name}", what, labels=["region"])
            gauge.add_metric([self._region], level)
            yield gauge
        yield from self._laws()

    def _laws(self) -> Iterator[GaugeMetricFamily]:
        """Refitted laws by pool; a pool without one goes by the catalogue's and has no sample."""
        for name, what, value in (
            ("law_error_ratio", "How much longer than expected iterations took", "error"),
            (
                "law_prefill_ratio",
                "Prefills by the refitted law / the catalogue's",
                "prefill_ratio",
            ),
            (
                "law_gap_ratio",
                "Token gaps by the refitted law / the catalogue's",
                "iteration_ratio",
            ),
        ):
            gauge = GaugeMetricFamily(
                f"heliostat_dispatch_{name}", what, labels=["region", "model", "vm_type"]
            )
            for law in self._room.laws:
                labels = [self._region, law.pool.model, law.pool.vm_type]
                gauge.add_metric(labels, getattr(law, value))
            yield gauge
