"""The process that simulates the reactive policy: it reports a mark every 15 minutes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from heliostat.catalogue import FleetCatalogue
from heliostat.gc_tuning import collect_seldom
from heliostat.model.demand import BUCKET
from services.demo.marks import mark_of
from services.demo.settings import DemoSettings
from simulation.arrivals import ArrivalRates
from simulation.bootstrap import (
    fluid_engine_without_sketches,
    reactive_policy,
    simulated_world,
)
from simulation.world import SimulatedWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalRun:
    """What the policy is simulated on: the demo's day, on that demand."""

    settings: DemoSettings
    catalogue: FleetCatalogue
    arrivals: ArrivalRates


def simulate_rival(pipe: Connection) -> None:
    """The whole day that the pipe tells of, as marks, or what broke it in words; ends early when nobody
    listens any more."""
    collect_seldom()
    with suppress(EOFError, ConnectionError):
        run: RivalRun = pipe.recv()
        try:
            world = reactive_world(
                settings=run.settings, catalogue=run.catalogue, arrivals=run.arrivals
            )
            pipe.send(mark_of(world.estate, world.accountant, world.now))
            while world.now < run.settings.day_end:
                world.run_until(world.now + BUCKET)
                pipe.send(mark_of(world.estate, world.accountant, world.now))
        except Exception as error:  # whatever it was, our starter must hear it
            pipe.send(f"{type(error).__name__}: {error}")
            raise


def reactive_world(
    *, settings: DemoSettings, catalogue: FleetCatalogue, arrivals: ArrivalRates
) -> SimulatedWorld:
    """The reactive policy in the simulator: same demand, same start, same chance of the clouds.

    Nobody looks at its latencies one by one, so its windows carry none; what it costs and keeps is
    the same with them.
    """
    return simulated_world(
        catalogue=catalogue,
        arrivals=arrivals,
        engine=fluid_engine_without_sketches,
        begins=settings.day_start,
        policy=reactive_policy(catalogue),
        seed=settings.seed,
    )
