"""Stores of the example fleet at three in the afternoon, filled by hand: what the page is looked at with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.clock import SteppedClock
from heliostat.model.command import Acknowledgement, Command, CommandState, RefusalKind, ScaleOrder
from heliostat.model.demand import BUCKET
from heliostat.model.fleet import PoolObservation, RegionObservation
from heliostat.model.governance import Mode, ModeSetting
from heliostat.model.instants import Span
from heliostat.model.names import (
    EVERYWHERE,
    DemandKey,
    PoolKey,
    RegionName,
    Tier,
    VmTypeName,
)
from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget, Reason
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingAck, RoutingTable
from heliostat.model.usage import UsageSeries, UsageWindow, batch_of
from heliostat.ports.decisions import Decision
from heliostat.ports.stores import Stores
from services.dashboard.picture import DispatchDay, PolicyDay, Pulse, Rivalry
from services.dashboard.read_model import ReadModel
from storage.memory import memory_stores
from tests.builders import a_forecast

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
NOW = MIDNIGHT + timedelta(hours=15, minutes=20)
FRAME = Span(MIDNIGHT, MIDNIGHT + timedelta(days=1))
EXAMPLE = Path(__file__).parents[3] / "deploy" / "catalogue.yaml"
_PHASE = {"eastus": 16.0, "westeurope": 11.0, "japaneast": 3.0}


@dataclass(frozen=True)
class Day:
    """A filled world and the read model that looks at it."""

    stores: Stores
    catalogue: FleetCatalogue
    model: ReadModel


def example_catalogue() -> FleetCatalogue:
    """The fleet that the demo runs on."""
    return parse_catalogue(yaml.safe_load(EXAMPLE.read_text()))


def wave(region: str, at: datetime, size: float = 1.0) -> float:
    """A calm day under the region's own sun."""
    hour = (at - MIDNIGHT) / timedelta(hours=1)
    height: float = max(0.0, math.cos((hour - _PHASE[region]) * math.pi / 12)) ** 1.5
    return size * (0.25 + height)


def an_empty_day() -> Day:
    """The same page before anything happened."""
    catalogue = example_catalogue()
    stores = memory_stores(SteppedClock(NOW))
    return Day(stores, catalogue, _model(stores, catalogue, SteppedClock(NOW), rivals=False))


def a_filled_day() -> Day:
    """History, forecasts, a plan, orders of every fate, tables and a fleet."""
    catalogue = example_catalogue()
    stores = memory_stores(SteppedClock(NOW))
    lease = stores.leadership.acquire("me", "here", timedelta(hours=1))
    assert lease is not None
    _usage(stores, catalogue)
    _forecasts(stores, catalogue, lease.epoch)
    mode = ModeSetting(region=EVERYWHERE, mode=Mode.ACTIVE, author="a", reason="b", at=MIDNIGHT)
    stores.decisions.commit(
        Decision(plan=_plan(catalogue), tables=_tables(catalogue), mode=mode), epoch=lease.epoch
    )
    stores.routing.acknowledge_tables(
        [
            RoutingAck(
                origin=table.origin, gateway_id="g", version=table.version, accepted=True, at=NOW
            )
            for table in stores.routing.latest_tables()
        ]
    )
    _orders(stores, lease.epoch)
    clock = SteppedClock(MIDNIGHT)
    model = _model(stores, catalogue, clock, rivals=True)
    for at in [*Span(MIDNIGHT, NOW).steps(BUCKET), NOW]:
        clock.advance_to(at)
        _fleet(stores, catalogue, at)
        model.look()
    return Day(stores, catalogue, model)


SAMPLE = DispatchDay(
    dispatched=1234,
    queued=56,
    other_region=78,
    shed=9,
    completed=1200,
    judged=900,
    expected_ttft_seconds=0.75,
    simulated_ttft_seconds=None,
)


def _model(
    stores: Stores, catalogue: FleetCatalogue, clock: SteppedClock, *, rivals: bool
) -> ReadModel:
    return ReadModel(
        stores=stores,
        catalogue=catalogue,
        pulse=lambda: Pulse(now=clock.now(), frame=FRAME, speed=960.0, stage="the day runs"),
        rivalry=_rivalry if rivals else None,
        dispatch=lambda: SAMPLE if rivals else None,
    )


def _usage(stores: Stores, catalogue: FleetCatalogue) -> None:
    for region in catalogue.regions:
        windows = [
            UsageWindow(
                series=UsageSeries(
                    origin=region.name, serving=region.name, model=model.name, tier=spec.tier
                ),
                start=at,
                offered=(n := int(wave(region.name, at, 400 / (1 + place)))),
                admitted=n,
                completed=n,
                input_tokens=n * 2000,
                output_tokens=n * 150,
            )
            for at in Span(MIDNIGHT, NOW).steps(timedelta(minutes=1))
            for place, model in enumerate(catalogue.models)
            for spec in model.tiers
        ]
        batch = batch_of(windows, source_id=f"gw-{region.name}", incarnation=1, sequence=1)
        stores.usage.record([batch])


def _forecasts(stores: Stores, catalogue: FleetCatalogue, epoch: int) -> None:
    for issued in Span(MIDNIGHT, NOW).steps(timedelta(hours=1)):
        forecasts = []
        for model in catalogue.models:
            for tier in Tier:
                demand = DemandKey(origin=EVERYWHERE, model=model.name, tier=tier)
                level = sum(
                    wave(region.name, issued + timedelta(hours=1)) for region in catalogue.regions
                )
                forecasts.append(
                    a_forecast(demand, tokens_per_second=level * 13000, issued_at=issued, steps=40)
                )
        stores.forecasts.store(forecasts, epoch=epoch)


def _plan(catalogue: FleetCatalogue) -> CapacityPlan:
    targets = tuple(
        PoolTarget(
            pool=spec.key,
            replicas=_wanted(spec.key, place),
            current=3,
            reason=Reason(
                summary="the 95 % quantile of 16:15 needs 9.2 replicas", binding="demand"
            ),
        )
        for place, spec in enumerate(catalogue.pools)
    )
    return CapacityPlan(
        created_at=NOW - timedelta(minutes=5),
        policy="horizon-milp",
        status=PlanStatus.SOLVED,
        first_step=NOW - timedelta(minutes=5),
        step=BUCKET,
        targets=targets,
        notes=("llama2-70b interactive-fast cannot meet its SLO on a100x8.",),
    )


def _wanted(pool: PoolKey, place: int) -> int:
    return 0 if pool.vm_type == "h100x8" and place % 3 else 3 + place % 9


def _tables(catalogue: FleetCatalogue) -> tuple[RoutingTable, ...]:
    names = [region.name for region in catalogue.regions]

    def shares(origin: RegionName) -> tuple[RouteShare, ...]:
        away = next(name for name in names if name != origin)
        parts = {origin: MILLION - 130_000, away: 120_000}
        return tuple(
            RouteShare(serving=to, weight_ppm=ppm, ingress_endpoint="127.0.0.1:1")
            for to, ppm in parts.items()
        )

    return tuple(
        RoutingTable(
            origin=origin,
            valid_from=NOW,
            stale_after=timedelta(minutes=5),
            entries=tuple(
                RouteEntry(
                    model=model.name,
                    tier=spec.tier,
                    shares=shares(origin),
                    shed_ppm=10_000,
                    reason="own region 87 %, the rest where it is night",
                )
                for model in catalogue.models
                for spec in model.tiers
            ),
        )
        for origin in names
    )


def _fleet(stores: Stores, catalogue: FleetCatalogue, at: datetime) -> None:
    for region in catalogue.regions:
        pools = tuple(
            PoolObservation(
                pool=spec.key,
                desired=(wanted := _wanted(spec.key, place)),
                ready=max(0, round(wanted * wave(region.name, at)) - place % 3),
                provisioning=min(wanted, place % 3),
                utilisation=0.61,
            )
            for place, spec in enumerate(catalogue.pools)
            if spec.key.region == region.name
        )
        stores.fleet.observe(RegionObservation(region=region.name, observed_at=at, pools=pools), at)


def _orders(stores: Stores, epoch: int) -> None:
    pools = [
        PoolKey(
            region=RegionName(region),
            model=example_catalogue().models[0].name,
            vm_type=VmTypeName("a100x8"),
        )
        for region in ("eastus", "westeurope", "japaneast")
    ]
    for number in range(12):
        at = NOW - timedelta(minutes=15 * (12 - number))
        pool = pools[number % 3]
        order = Command(
            region=pool.region,
            order=ScaleOrder(pool=pool, target_replicas=number),
            reason="the 95 % quantile of the next hour needs 9.2 replicas of llama2-70b; own share binds",
            author="planner",
            created_at=at,
            not_after=at + timedelta(hours=4),
        )
        (command,) = stores.decisions.commit(Decision(commands=(order,)), epoch=epoch).commands
        if number < 10:
            refused = number % 5 == 3
            stores.outbox.acknowledge(
                Acknowledgement(
                    command_id=command.command_id,
                    region=pool.region,
                    state=CommandState.REFUSED if refused else CommandState.APPLIED,
                    refusal=RefusalKind.NO_CAPACITY if refused else None,
                    detail="the cloud has no a100x8 free in this region" if refused else "",
                    at=at + timedelta(minutes=9),
                )
            )


def _rivalry(frame: Span) -> Rivalry:
    until = [at for at in frame.steps(BUCKET) if at < NOW]
    rest = (None,) * (96 - len(until))
    need = [sum(wave(name, at) for name in _PHASE) for at in until]
    return Rivalry(
        heliostat=PolicyDay(
            gpu_hours=(*(220 * n for n in need), *rest),
            attainment=(*(0.997 - 0.002 * (i % 3) for i in range(len(need))), *rest),
            gpu_hours_total=220 * sum(need),
            attainment_total=0.9951,
        ),
        reactive=PolicyDay(
            gpu_hours=(*(265 * n + 30 for n in need), *rest),
            attainment=(*(0.990 - 0.01 * (i % 5) for i in range(len(need))), *rest),
            gpu_hours_total=265 * sum(need) + 30 * len(need),
            attainment_total=0.9713,
        ),
        until=NOW,
    )
