"""Wires the demo: a real control plane and real agents on loopback, simulated clouds below them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from heliostat.catalogue import FleetCatalogue
from heliostat.clock import SteppedClock
from heliostat.loops.control import ControlSettings
from heliostat.loops.forecasts import ForecastSettings
from heliostat.model.names import RegionName
from services.agent.agent import Agent
from services.agent.bootstrap import build_agent
from services.agent.drivers.simulated import simulated_readings
from services.agent.hands import Hands
from services.agent.settings import AgentSettings, BacklogReport, DispatchSettings
from services.control_plane.bootstrap import parts_of
from services.control_plane.plane import ControlPlane
from services.control_plane.settings import CadenceSettings, ControlPlaneSettings
from services.demo.counting import CountingForecaster, CountingRouting
from services.demo.sampling import Moments, SimulatedWaits
from services.demo.settings import DemoSettings
from simulation.accounting import Accountant
from simulation.arrivals import ArrivalRates
from simulation.driver import SimulatedDriver
from simulation.estate import Estate
from simulation.fluid.engine import FluidEngine
from simulation.start import first_fleet
from simulation.world import Rhythm
from storage.notify import ChangeFeed

SCORED_EVERY = timedelta(hours=12)
LOOPBACK = "127.0.0.1:0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody in the demo but the agents, who need the control plane's address first."""

    clock: SteppedClock
    catalogue: FleetCatalogue
    plane: ControlPlane
    feed: ChangeFeed
    routing: CountingRouting
    forecaster: CountingForecaster
    estate: Estate
    accountant: Accountant
    waits: Mapping[RegionName, SimulatedWaits]
    """What passes each region's usage on, and knows how long its requests waited."""
    moments: Mapping[RegionName, Moments]
    """The clock of each region's dispatcher."""


def cast_of(
    settings: DemoSettings, catalogue: FleetCatalogue, demand: ArrivalRates, place: Path
) -> Cast:
    """The control plane on a fresh SQLite file in `place`, and the clouds as the day begins."""
    clock = SteppedClock(settings.day_start)
    plane_settings = ControlPlaneSettings(
        listen=LOOPBACK,
        name="demo",
        database=f"sqlite:///{place / 'heliostat.db'}",
        catalogue=settings.catalogue,
        tls=None,
        allow_insecure=False,
        metrics_listen="",
        page_listen="",
        scheduled=False,
        policy=settings.policy,
        forecast_family="fast",
        workers=2,
        shutdown_grace=timedelta(seconds=1),
    )
    parts = parts_of(plane_settings, clock=clock)
    parts.warm_up()
    routing = CountingRouting(parts.stores.routing)
    forecaster = CountingForecaster(parts.deciders.forecaster)
    parts = replace(
        parts,
        stores=replace(parts.stores, routing=routing),
        deciders=replace(parts.deciders, forecaster=forecaster),
        loop_settings=loop_settings(),
    )
    estate = estate_of(settings, catalogue, demand)
    return Cast(
        clock=clock,
        catalogue=catalogue,
        plane=ControlPlane(parts, plane_settings),
        feed=parts.feed,
        routing=routing,
        forecaster=forecaster,
        estate=estate,
        accountant=Accountant(estate),
        waits={name: SimulatedWaits(meter, name) for name, meter in estate.meters.items()},
        moments={name: Moments(clock.now) for name in estate.regions},
    )


def estate_of(settings: DemoSettings, catalogue: FleetCatalogue, demand: ArrivalRates) -> Estate:
    """The clouds at the day's start, with the replicas that every policy starts from."""
    estate = Estate(catalogue=catalogue, engine=FluidEngine(catalogue, demand), seed=settings.seed)
    estate.stand(first_fleet(catalogue, demand, settings.day_start), settings.day_start)
    return estate


def agent_of(cast: Cast, region: RegionName, place: Path) -> Agent:
    """One region's agent on its own journal, talking to the control plane over gRPC."""
    settings = AgentSettings(
        region=region,
        name="demo",
        control_planes=(cast.plane.address,),
        tls=None,
        allow_insecure=False,
        data_dir=place / region,
        local_listen=LOOPBACK,
        # The day's steps are its beats, so that the same seed gives the same day. Gateways dispatch a
        # sample: what of it waits is not all that waits.
        dispatch=DispatchSettings(beat=timedelta(days=1), report_backlog=BacklogReport.NEVER),
        metrics_listen="",
        seed=1,
    )
    simulated = cast.estate.regions[region]
    hands = Hands(
        driver=SimulatedDriver(simulated),
        meter=cast.waits[region],
        readings=lambda: simulated_readings(simulated),
    )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return build_agent(
        settings,
        cast.catalogue,
        now=cast.clock.now(),
        hands_of=lambda _: hands,
        seconds=cast.moments[region],
    )


def rhythm_of(settings: DemoSettings) -> Rhythm:
    """Everybody meets once a step; forecasts and plans are made every quarter hour, scores seldom, and
    the house is kept as often as in production."""
    return Rhythm(
        step=settings.step,
        routes=settings.step,
        scores=SCORED_EVERY,
        housekeeping=CadenceSettings().housekeep,
    )


def loop_settings() -> ControlSettings:
    """As in production, but half a day ahead is enough for a demo that lasts one."""
    return ControlSettings(
        forecasts=ForecastSettings(horizon=timedelta(hours=12), scoring_memory=SCORED_EVERY)
    )
