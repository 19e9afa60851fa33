"""Wires simulated worlds: the only module of this room that knows concrete stores, drivers and policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from forecasting.accuracy import AccuracyScorer
from forecasting.forecaster import SeasonalForecaster
from forecasting.settings import ForecasterSettings
from heliostat.catalogue import FleetCatalogue
from heliostat.clock import SteppedClock
from heliostat.loops.agent import AgentLoop
from heliostat.loops.control import ControlLoop, ControlSettings, Deciders
from heliostat.loops.forecasts import ForecastLoop
from heliostat.loops.manual import ManualDesk
from heliostat.model.governance import Mode, ModeSetting
from heliostat.model.instants import Span
from heliostat.model.names import EVERYWHERE, PoolKey, RegionName, VmTypeName
from heliostat.ports.deciding import CapacityPlanner, Router
from heliostat.ports.stores import Stores
from planning.explain import PerturbingExplainer
from planning.guard import CatalogueGuard
from planning.planner import HeliostatPlanner
from planning.reactive import ReactivePlanner, ReactiveSettings
from planning.routing.baselines import NearestRouter
from planning.routing.router import WaterFillingRouter
from planning.settings import PlannerSettings
from planning.strategies import Immediate
from simulation.arrivals import ArrivalRates
from simulation.driver import SimulatedDriver
from simulation.engine import EngineModel
from simulation.estate import Estate
from simulation.fluid.engine import FluidEngine
from simulation.history import past_batches
from simulation.journal import MemoryJournal
from simulation.link import DirectLink
from simulation.start import first_fleet
from simulation.troubles import CloudTroubles
from simulation.world import Rhythm, SimulatedAgent, SimulatedWorld
from storage.memory import memory_stores

AUTHOR = "simulation"
_FOR_GOOD = timedelta(days=36500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who decides in a world, and how often it is asked."""

    deciders: Deciders
    rhythm: Rhythm


def heliostat_policy(catalogue: FleetCatalogue, settings: PlannerSettings | None = None) -> Policy:
    """The house's own planner and router on its fast forecasts."""
    planner = HeliostatPlanner(settings, stopwatch=_no_stopwatch)
    return Policy(deciders=_deciders(catalogue, planner, WaterFillingRouter()), rhythm=Rhythm())


def reactive_policy(
    catalogue: FleetCatalogue,
    settings: ReactiveSettings | None = None,
    router: Router | None = None,
) -> Policy:
    """Today's practice at its best setting: thresholds on utilisation every minute, requests to the
    nearest region, no forecast.

    `benchmarks/policies.py` is the sweep behind the defaults.
    """
    return Policy(
        deciders=_deciders(catalogue, ReactivePlanner(settings), router or NearestRouter()),
        rhythm=Rhythm(forecasts=None, scores=None, plans=timedelta(minutes=1)),
    )


POLICIES: Mapping[str, Callable[[FleetCatalogue], Policy]] = {
    "heliostat": heliostat_policy,
    "reactive": reactive_policy,
}


def simulated_world(
    *,
    catalogue: FleetCatalogue,
    arrivals: ArrivalRates,
    begins: datetime,
    policy: Policy,
    seed: int,
    settings: ControlSettings | None = None,
    engine: EngineModel | None = None,
    fleet: Mapping[PoolKey, int] | None = None,
    troubles: Mapping[RegionName, CloudTroubles] | None = None,
    warm_vms: Mapping[VmTypeName, int] | None = None,
    mode: Mode = Mode.ACTIVE,
) -> SimulatedWorld:
    """A world at `begins`, with the arrivals before it as recorded history.

    It can run to the end of the arrivals. `fleet` are the replicas that stand at the beginning, by
    default what the first hour needs. Same arguments, same run.
    """
    clock = SteppedClock(begins)
    stores = memory_stores(clock)
    settings = settings or ControlSettings()
    epoch = _lead(stores)
    loop = ControlLoop(
        stores=stores, catalogue=catalogue, deciders=policy.deciders, settings=settings
    )
    forecasts = ForecastLoop(
        stores=stores,
        forecaster=policy.deciders.forecaster,
        scorer=policy.deciders.scorer,
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
        engine=engine or FluidEngine(catalogue, arrivals),
        seed=seed,
        troubles=troubles,
        warm_vms=warm_vms,
    )
    estate.stand(first_fleet(catalogue, arrivals, begins) if fleet is None else fleet, begins)
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


def _deciders(catalogue: FleetCatalogue, planner: CapacityPlanner, router: Router) -> Deciders:
    zones = {region.name: region.time_zone for region in catalogue.regions}
    return Deciders(
        forecaster=SeasonalForecaster(ForecasterSettings(zones=zones)),
        scorer=AccuracyScorer(),
        planner=planner,
        explainer=PerturbingExplainer(stopwatch=_no_stopwatch),
        strategy=Immediate(),
        guard=CatalogueGuard(),
        router=router,
    )


def _no_stopwatch() -> float:
    """Real time has no place in a report that must be the same each time."""
    return 0.0


def _lead(stores: Stores) -> int:
    lease = stores.leadership.acquire(AUTHOR, "in this process", _FOR_GOOD)
    assert lease is not None, "nobody else can lead stores that were just made"
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
