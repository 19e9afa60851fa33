"""Small valid values for contract tests: each names only what the test is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from heliostat.model.command import Acknowledgement, Command, CommandState, ScaleOrder
from heliostat.model.forecast import Forecast
from heliostat.model.governance import AuditRecord, Override
from heliostat.model.instants import Span
from heliostat.model.names import (
    DemandKey,
    ModelName,
    PoolKey,
    RegionName,
    SeriesKey,
    Tier,
    TokenKind,
    VmTypeName,
)
from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget, Reason
from heliostat.model.routing import RouteEntry, RouteShare, RoutingTable
from heliostat.model.usage import UsageBatch, UsageSeries, UsageWindow, batch_of

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
EU, US = RegionName("eu"), RegionName("us")
LLAMA, QWEN = ModelName("llama"), ModelName("qwen")
H100 = VmTypeName("h100")


def at(minutes: int) -> datetime:
    return T0 + minutes * MINUTE


def span(minutes: int, start: int = 0) -> Span:
    return Span(at(start), at(start + minutes))


def series(
    origin: RegionName = EU,
    serving: RegionName | None = None,
    model: ModelName = LLAMA,
    tier: Tier = Tier.INTERACTIVE_FAST,
) -> UsageSeries:
    return UsageSeries(origin=origin, serving=serving or origin, model=model, tier=tier)


def window(minute: int, *, of: UsageSeries | None = None, **columns: Any) -> UsageWindow:
    """Ten requests, all served and measured, unless said otherwise."""
    whole = {"offered": 10, "admitted": 10, "completed": 10, "input_tokens": 1000}
    return UsageWindow(
        series=of or series(),
        start=at(minute),
        **{**whole, "output_tokens": 500, **columns},
    )


def batch(
    *windows: UsageWindow, source: str = "gateway-1", incarnation: int = 1, sequence: int = 1
) -> UsageBatch:
    return batch_of(windows, source_id=source, incarnation=incarnation, sequence=sequence)


def demand_key(origin: RegionName = EU, kind: TokenKind = TokenKind.INPUT) -> SeriesKey:
    return SeriesKey(
        demand=DemandKey(origin=origin, model=LLAMA, tier=Tier.INTERACTIVE_FAST), kind=kind
    )


def pool(region: RegionName = EU, model: ModelName = LLAMA) -> PoolKey:
    return PoolKey(region=region, model=model, vm_type=H100)


def command(target: int = 3, *, of: PoolKey | None = None, **fields: Any) -> Command:
    on = of or pool()
    whole = {"created_at": T0, "not_after": T0 + HOUR, "reason": "demand", "author": "planner"}
    return Command(
        region=on.region, order=ScaleOrder(pool=on, target_replicas=target), **{**whole, **fields}
    )


def ack(
    command_id: str, state: CommandState = CommandState.APPLIED, **fields: Any
) -> Acknowledgement:
    return Acknowledgement(
        **{"command_id": command_id, "region": EU, "state": state, "at": at(1), **fields}
    )


def plan(minute: int = 0, **fields: Any) -> CapacityPlan:
    target = PoolTarget(
        pool=pool(), replicas=3, current=1, reason=Reason(summary="demand grows"), path=(3, 4)
    )
    whole = {
        "policy": "milp",
        "status": PlanStatus.SOLVED,
        "first_step": at(minute),
        "step": QUARTER,
        "targets": (target,),
    }
    return CapacityPlan(created_at=at(minute), **{**whole, **fields})


def table(origin: RegionName = EU, minute: int = 0, **fields: Any) -> RoutingTable:
    share = RouteShare(serving=origin, weight_ppm=900_000, ingress_endpoint=f"{origin}:443")
    entry = RouteEntry(
        model=LLAMA, tier=Tier.INTERACTIVE_FAST, shares=(share,), shed_ppm=100_000, reason="full"
    )
    return RoutingTable(
        origin=origin,
        valid_from=at(minute),
        stale_after=timedelta(minutes=5),
        entries=(entry,),
        **fields,
    )


def override(name: str = "o-1", *, minutes: int = 60, created: int = 0, **fields: Any) -> Override:
    whole = {
        "pool": pool(),
        "target_replicas": 5,
        "author": "ada",
        "reason": "launch",
        "created_at": at(created),
        "expires_at": at(created + minutes),
    }
    return Override(override_id=name, **{**whole, **fields})


def audit(minute: int = 0, **fields: Any) -> AuditRecord:
    whole = {"author": "ada", "action": "scale", "subject": "eu/llama/h100"}
    return AuditRecord(at=at(minute), **{**whole, **fields})


def forecast(minute: int = 0, key: SeriesKey | None = None, **fields: Any) -> Forecast:
    whole = {
        "start": at(minute),
        "step": QUARTER,
        "method": "harmonic",
        "trained_until": at(minute),
        "levels": (0.5, 0.9),
        "mean": ((1.0, 2.0, 1 / 3), (2.0, 3.0, 4.0)),
        "peak": ((2.0, 3.0, 4.0), (3.0, 4.0, 5e300)),
    }
    return Forecast(key=key or demand_key(), issued_at=at(minute), **{**whole, **fields})
