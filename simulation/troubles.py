"""What goes wrong in a simulated region, scripted by time and drawn by chance; nothing by default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, check_instant
from heliostat.model.names import VmTypeName


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """For a while the cloud sells no more VMs of a type than `free_vms`."""

    vm_type: VmTypeName
    span: Span
    free_vms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryHole:
    """For a while the region's gateways and its agent report nothing, or windows lack token counts."""

    span: Span
    only_tokens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Eviction:
    """At an instant the cloud gives notice to so many ready VMs of a type, the youngest first."""

    vm_type: VmTypeName
    at: datetime
    vms: int

    def __post_init__(self) -> None:
        check_instant("eviction.at", self.at)
        if self.vms < 0:
            raise InvalidInput("eviction.vms", f"{self.vms} is negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudTroubles:
    """A region's troubles. Probabilities are per VM bought; `failures_per_day` and `evictions_per_day`
    are per ready replica."""

    shortages: tuple[Shortage, ...] = ()
    outages: tuple[Span, ...] = ()
    """The region is lost: at the start every VM in it fails, until the end its cloud answers nothing
    and sells nothing. The requests of its users still come in at the edge and go elsewhere."""
    api_outages: tuple[Span, ...] = ()
    throttles: tuple[Span, ...] = ()
    telemetry_holes: tuple[TelemetryHole, ...] = ()
    refusal_probability: float = 0.0
    start_failure_probability: float = 0.0
    failures_per_day: float = 0.0
    failed_kept: timedelta = timedelta(minutes=5)
    """How long a failed VM is paid for until it is cleared away."""
    evictions: tuple[Eviction, ...] = ()
    evictions_per_day: float = 0.0
    eviction_notice: timedelta = timedelta(minutes=2)
    """An evicted VM takes no more requests; what runs at the end of the notice is lost with it."""
    telemetry_delay: timedelta = timedelta(0)
    """How long after a minute's end its usage can be reported, and after an instant how the region stood."""

    def __post_init__(self) -> None:
        for name in ("refusal_probability", "start_failure_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(name, f"{getattr(self, name)} is not within [0, 1]")
        for name in ("failures_per_day", "evictions_per_day"):
            if getattr(self, name) < 0:
                raise InvalidInput(name, "is negative")
        for name in ("eviction_notice", "telemetry_delay", "failed_kept"):
            if getattr(self, name) < timedelta(0):
                raise InvalidInput(name, "is negative")

    def free_vms(self, vm_type: VmTypeName, now: datetime) -> int | None:
        """How many VMs a shortage leaves; None outside of shortages."""
        left = [s.free_vms for s in self.shortages if s.vm_type == vm_type and now in s.span]
        return min(left, default=None)

    def lost(self, now: datetime) -> bool:
        """True while the region is lost."""
        return any(now in span for span in self.outages)

    def hole(self, instant: datetime) -> TelemetryHole | None:
        """The telemetry hole at that instant, the worst of several; None when all is reported."""
        if not self.telemetry_holes:
            return None
        holes = [hole for hole in self.telemetry_holes if instant in hole.span]
        return min(holes, key=lambda hole: hole.only_tokens, default=None)
