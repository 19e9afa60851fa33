"""What the simulator is measured on: a static fleet of 400 replicas, and a day of ten million requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.model.instants import Span
from simulation.arrivals import ArrivalRates
from simulation.bootstrap import Workplace, simulated_world
from simulation.engine import Change, EngineModel, ReplicaChange
from simulation.event.engine import STEP, EventEngine
from simulation.policies.registry import policy_named
from simulation.requests.binning import rates_of
from simulation.requests.from_rates import RequestsFromRates
from simulation.requests.rows import longest_requests
from simulation.scenarios.drawn import published_source
from simulation.scenarios.fleets import globe_fleet, us_fleet
from simulation.scenarios.sizing import planned_seconds
from simulation.workload.published import model_shape
from simulation.workload.synthesis import lengths_of, synthesise
from simulation.workload.wanted import HISTORY_DAYS, WantedDemand
from simulation.world import SimulatedWorld

REGIONS, REPLICAS_EACH = 10, 10
"""Each of four models has so many replicas in each region: 400."""
ROUTES = timedelta(seconds=30)
_SEED = 1
_TUESDAY = datetime(2026, 2, 3, tzinfo=UTC)
_STATIC_BUSY, _DAY_BUSY = 70.0, 30.0
"""Busy replicas per model in the busiest hour: 70 of 100; and what makes ten million requests a day."""


def static_fleet() -> FleetCatalogue:
    """The models and VM types of the `week` scenario in ten regions, 40 ms from one another."""
    fleet = us_fleet(least=1)
    names = [f"region-{number}" for number in range(REGIONS)]
    first = fleet["regions"][0]
    fleet["regions"] = [
        {**first, "name": name, "ingress_endpoint": f"127.0.0.1:{18001 + number}"}
        for number, name in enumerate(names)
    ]
    fleet["round_trip_ms"] = {o: {r: 4 if o == r else 40 for r in names} for o in names}
    return parse_catalogue(fleet)


class StaticRun:
    """The event engine on the static fleet, every request served where it arrives."""

    def __init__(self, requests: int) -> None:
        """The shortest run of whole minutes with so many requests, from 08:00 UTC on."""
        catalogue = static_fleet()
        begins = _TUESDAY + timedelta(hours=8)
        rates = _cut(_static_rates(catalogue), begins, requests)
        source = RequestsFromRates(
            rates,
            begins=begins,
            lengths={m.name: lengths_of(model_shape(i)) for i, m in enumerate(catalogue.models)},
            seed=_SEED,
            token_sums=False,
            longest=longest_requests(catalogue),
        )
        self.engine = EventEngine(catalogue, source, seed=_SEED)
        self._stand = tuple(
            ReplicaChange(at=begins, replica_id=f"{pool.key}-{n}", pool=pool.key, what=Change.READY)
            for pool in catalogue.pools
            for n in range(REPLICAS_EACH)
        )

    @property
    def replicas(self) -> int:
        """How many stand."""
        return len(self._stand)

    def serve(self) -> int:
        """Everything, drawing the requests included; returns how many there were."""
        changes = self._stand
        for at in self.engine.span.steps(STEP):
            self.engine.serve(Span(at, at + STEP), changes=changes, tables={})
            changes = ()
        return sum(tally.offered for tally in self.engine.tallies().values())

    def reachable_kept(self) -> float:
        """The share of reachable requests that were kept their promise."""
        tallies = self.engine.tallies().values()
        return sum(t.met for t in tallies) / sum(t.reachable or 0.0 for t in tallies)


def ten_million_day(policy: str) -> SimulatedWorld:
    """The `day` scenario's fleet and shapes with ten million requests; windows carry latencies.

    Two weeks of history are recorded, forecasts start cold and are warm from the second on.
    """
    catalogue = parse_catalogue(globe_fleet())
    wanted = WantedDemand(
        begins=_TUESDAY,
        days=1,
        history_days=HISTORY_DAYS,
        busy_replicas=_DAY_BUSY,
        seed=0,
        seconds_of=planned_seconds(catalogue),
        shared_bursts=True,
    )
    source_of = published_source(catalogue, wanted)
    decider = policy_named(policy, catalogue)

    def engine(workplace: Workplace) -> EngineModel:
        return EventEngine(
            workplace.catalogue,
            source_of(_SEED),
            workplace.policy.local,
            _SEED,
            with_sketches=True,
        )

    return simulated_world(
        catalogue=catalogue,
        arrivals=rates_of(source_of(_SEED)),
        begins=_TUESDAY,
        policy=replace(decider, rhythm=replace(decider.rhythm, routes=ROUTES)),
        seed=_SEED,
        engine=engine,
    )


def day_steps(world: SimulatedWorld) -> Iterator[datetime]:
    """Run the day, instant by instant."""
    return world.steps(_TUESDAY + timedelta(days=1))


def _static_rates(catalogue: FleetCatalogue) -> ArrivalRates:
    return synthesise(
        catalogue,
        start=_TUESDAY,
        days=3,
        busy_replicas=_STATIC_BUSY,
        seed=_SEED,
        seconds_of=planned_seconds(catalogue),
    )


def _cut(rates: ArrivalRates, begins: datetime, requests: int) -> ArrivalRates:
    later = rates.within(Span(begins, rates.span.end))
    a_minute = np.sum([column.offered for column in later.by_demand.values()], axis=0)
    minutes = int(np.searchsorted(a_minute.cumsum(), requests)) + 1
    return later.within(Span(begins, begins + timedelta(minutes=minutes)))
