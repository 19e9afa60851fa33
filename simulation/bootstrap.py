"""Wires simulated worlds: with `policies/`, all in this room that knows concrete stores and deciders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.clock import SteppedClock
from heliostat.loops.agent import AgentLoop
from heliostat.loops.control import ControlLoop, ControlSettings
from heliostat.loops.forecasts import ForecastLoop
from heliostat.loops.manual import ManualDesk
from heliostat.model.governance import Mode, ModeSetting
from heliostat.model.instants import Span
from heliostat.model.names import EVERYWHERE, PoolKey, RegionName, VmTypeName
from heliostat.ports.deciding import Router
from heliostat.ports.stores import Stores
from planning.rivals.reactive import ReactiveRule, ReactiveSettings
from simulation.arrivals import ArrivalRates
from simulation.driver import SimulatedDriver
from simulation.engine import EngineModel
from simulation.estate import Estate
from simulation.fluid.engine import FluidEngine
from simulation.history import past_batches
from simulation.journal import MemoryJournal
from simulation.link import DirectLink
from simulation.policies.heliostat import heliostat_policy
from simulation.policies.policy import Policy, PolicyOptions
from simulation.policies.ruled import ruled
from simulation.policies.watched import watched
from simulation.start import first_fleet
from simulation.troubles import CloudTroubles
from simulation.world import SimulatedAgent, SimulatedWorld
from storage.memory import memory_stores

__all__ = [
    "EngineMaker",
    "Policy",
    "Workplace",
    "fluid_engine",
    "fluid_engine_without_sketches",
    "heliostat_policy",
    "reactive_policy",
    "simulated_world",
]

AUTHOR = "simulation"
_FOR_GOOD = timedelta(days=36500)
_FORECASTS_WHOLE = timedelta(hours=3)
"""Only the newest are planned by; of the others a run needs what is scored."""


def reactive_policy(
    catalogue: FleetCatalogue,
    settings: ReactiveSettings | None = None,
    router: Router | None = None,
) -> Policy:
    """The registered `reactive` at these thresholds. By default 70/50, the best of `benchmarks/policies.py`'s
    sweep; the registry's default, headroom 0.43, is 69.9/49.9."""
    rule = ReactiveRule(settings=settings or ReactiveSettings())
    policy = ruled("reactive", rule, catalogue, PolicyOptions())
    if router is None:
        return policy
    return replace(policy, deciders=replace(policy.deciders, router=router))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workplace:
    """What an engine is made for: a fleet, its demand by minute, and how its replicas work.

    In a recast fleet all of it has the recast names.
    """

    catalogue: FleetCatalogue
    arrivals: ArrivalRates
    policy: Policy


EngineMaker = Callable[[Workplace], EngineModel]


def fluid_engine(workplace: Workplace) -> EngineModel:
    """Rates in, goodput and latency out."""
    return FluidEngine(workplace.catalogue, workplace.arrivals)


def fluid_engine_without_sketches(workplace: Workplace) -> EngineModel:
    """The same for runs of which only the accounts are wanted."""
    return FluidEngine(workplace.catalogue, workplace.arrivals, with_sketches=False)


def simulated_world(
    *,
    catalogue: FleetCatalogue,
    arrivals: ArrivalRates,
    begins: datetime,
    policy: Policy,
    seed: int,
    settings: ControlSettings | None = None,
    engine: EngineMaker = fluid_engine,
    fleet: Mapping[PoolKey, int] | None = None,
    troubles: Mapping[RegionName, CloudTroubles] | None = None,
    warm_vms: Mapping[VmTypeName, int] | None = None,
    mode: Mode = Mode.ACTIVE,
) -> SimulatedWorld:
    """A world at `begins`, with the arrivals before it as recorded history.

    It can run to the end of the arrivals. `fleet` are the replicas that stand at the beginning, by
    default what the first hour needs. Same arguments, same run. A policy that raises or answers
    nonsense breaks the run off with PolicyFailed.
    """
    fleet = first_fleet(catalogue, arrivals, begins) if fleet is None else fleet
    if policy.recast is not None:
        catalogue, arrivals = policy.recast.catalogue, policy.recast.arrivals(arrivals)
        fleet = policy.recast.fleet(fleet, first_fleet(catalogue, arrivals, begins))
    deciders = watched(policy.name, policy.deciders)
    clock = SteppedClock(begins)
    stores = memory_stores(clock, forecasts_whole_for=_FORECASTS_WHOLE)
    settings = settings or ControlSettings()
    epoch = _lead(stores)
    loop = ControlLoop(stores=stores, catalogue=catalogue, deciders=deciders, settings=settings)
    forecasts = ForecastLoop(
        stores=stores,
        forecaster=deciders.forecaster,
        scorer=deciders.scorer,
        settings=settings.forecasts,
    )
    desk = ManualDesk(
        stores=stores, catalogue=catalogue, command_lifetime=settings.command_lifetime
    )
    desk.set_mode(
        ModeSetting(
            region=EVERYWHERE, mode=mode, author=AUTHOR, reason="a simulated fleet", at=begins
        ),
        epoch=epoch,
    )
    _remember(stores, arrivals, begins)
    estate = Estate(
        catalogue=catalogue,
        engine=engine(Workplace(catalogue=catalogue, arrivals=arrivals, policy=policy)),
        seed=seed,
        troubles=troubles,
        warm_vms=warm_vms,
        lends=policy.lends,
    )
    estate.stand(fleet, begins)
    return SimulatedWorld(
        clock=clock,
        epoch=epoch,
        stores=stores,
        loop=loop,
        forecasts=forecasts,
        desk=desk,
        estate=estate,
        agents={name: _agent(estate, name, stores, loop) for name in estate.regions},
        rhythm=policy.rhythm,
    )


def _lead(stores: Stores) -> int:
    lease = stores.leadership.acquire(AUTHOR, "in this process", _FOR_GOOD)
    assert lease is not None, "no other leader can exist for new stores"
    return lease.epoch


def _remember(stores: Stores, arrivals: ArrivalRates, begins: datetime) -> None:
    """Record what arrived before the beginning."""
    if arrivals.span.start < begins:
        past = arrivals.within(Span(arrivals.span.start, begins))
        for batch in past_batches(past):
            stores.usage.record([batch])


def _agent(estate: Estate, region: RegionName, stores: Stores, loop: ControlLoop) -> SimulatedAgent:
    journal = MemoryJournal(source_id=f"gateways-{region}")
    return SimulatedAgent(
        loop=AgentLoop(
            region=region,
            journal=journal,
            driver=SimulatedDriver(estate.regions[region]),
            meter=estate.meters[region],
        ),
        journal=journal,
        link=DirectLink(region=region, journal=journal, stores=stores, loop=loop),
    )
