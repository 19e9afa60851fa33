"""What a scenario file may say of a region's troubles, checked; hours count from the begin."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from heliostat.model.instants import Span
from heliostat.model.names import VmTypeName
from simulation.scenarios.part import MOST_HOURS, Part
from simulation.troubles import CloudTroubles, Eviction, Shortage, TelemetryHole

Share = Annotated[float, Field(ge=0, le=1)]
Hours = Annotated[float, Field(ge=0, le=MOST_HOURS)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
PerDay = Annotated[float, Field(ge=0, le=86_400)]
_CALM = CloudTroubles()


class SpanPart(Part):
    """A stretch of time, counted from the begin."""

    after_hours: Hours
    hours: Annotated[float, Field(gt=0, le=MOST_HOURS)]

    def span(self, begins: datetime) -> Span:
        """As instants, in whole seconds."""
        start = _after(begins, self.after_hours)
        return Span(start, start + timedelta(seconds=max(1, round(self.hours * 3600))))


class HolePart(SpanPart):
    """A hole in a region's telemetry."""

    only_tokens: bool = False


class ShortagePart(SpanPart):
    """The cloud sells no more VMs of a type than `free_vms`."""

    vm_type: str
    free_vms: Annotated[int, Field(ge=0)] = 0


class EvictionPart(Part):
    """The cloud gives notice to so many ready VMs of a type, the youngest first."""

    after_hours: Hours
    vm_type: str
    vms: Annotated[int, Field(ge=1)]


class TroublesPart(Part):
    """What goes wrong in one region."""

    outages: tuple[SpanPart, ...] = ()
    telemetry_holes: tuple[HolePart, ...] = ()
    telemetry_delay_seconds: Seconds = _CALM.telemetry_delay.total_seconds()
    shortages: tuple[ShortagePart, ...] = ()
    api_outages: tuple[SpanPart, ...] = ()
    throttles: tuple[SpanPart, ...] = ()
    refusal_probability: Share = 0.0
    start_failure_probability: Share = 0.0
    failures_per_day: PerDay = 0.0
    failed_kept_seconds: Seconds = _CALM.failed_kept.total_seconds()
    evictions: tuple[EvictionPart, ...] = ()
    evictions_per_day: PerDay = 0.0
    eviction_notice_seconds: Seconds = _CALM.eviction_notice.total_seconds()

    def troubles(self, begins: datetime) -> CloudTroubles:
        """As the simulated cloud knows them."""
        return CloudTroubles(
            outages=_spans(self.outages, begins),
            telemetry_holes=tuple(
                TelemetryHole(span=part.span(begins), only_tokens=part.only_tokens)
                for part in self.telemetry_holes
            ),
            telemetry_delay=_whole(self.telemetry_delay_seconds),
            shortages=tuple(
                Shortage(
                    vm_type=VmTypeName(part.vm_type),
                    span=part.span(begins),
                    free_vms=part.free_vms,
                )
                for part in self.shortages
            ),
            api_outages=_spans(self.api_outages, begins),
            throttles=_spans(self.throttles, begins),
            refusal_probability=self.refusal_probability,
            start_failure_probability=self.start_failure_probability,
            failures_per_day=self.failures_per_day,
            failed_kept=_whole(self.failed_kept_seconds),
            evictions=tuple(
                Eviction(
                    vm_type=VmTypeName(part.vm_type),
                    at=_after(begins, part.after_hours),
                    vms=part.vms,
                )
                for part in self.evictions
            ),
            evictions_per_day=self.evictions_per_day,
            eviction_notice=_whole(self.eviction_notice_seconds),
        )


def _spans(parts: tuple[SpanPart, ...], begins: datetime) -> tuple[Span, ...]:
    return tuple(part.span(begins) for part in parts)


def _after(begins: datetime, hours: float) -> datetime:
    return begins + _whole(hours * 3600)


def _whole(seconds: float) -> timedelta:
    """Clouds count in whole seconds."""
    return timedelta(seconds=round(seconds))
