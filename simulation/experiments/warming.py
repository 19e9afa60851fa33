"""What a fresh worker does before its first run, so that compiling is done once and counted nowhere."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module

import numpy as np

from heliostat.catalogue import parse_catalogue
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, Tier
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.engine import Change, ReplicaChange
from simulation.experiments.spec import EVENT
from simulation.requests.from_rates import RequestsFromRates
from simulation.scenarios.fleets import us_fleet
from simulation.workload.published import model_shape
from simulation.workload.synthesis import lengths_of

_HEAVY = ("forecasting.families", "planning.planner", "simulation.experiments.scenes")
"""What a run imports, and would otherwise be charged with."""


def warm_up(engine: str) -> None:
    """Import what is heavy; a compiled engine serves a minute and drains a replica, which puts it into the
    cache on disk."""
    for module in _HEAVY:
        import_module(module)
    if engine == EVENT:
        _compile()


def _compile() -> None:
    # Compiled engines need numba, which whoever serves by rates may do without.
    from simulation.event.engine import STEP, EventEngine

    catalogue = parse_catalogue(us_fleet(least=1))
    begins, model = datetime(2026, 3, 2, tzinfo=UTC), catalogue.models[0].name
    one = np.ones(1)
    key = DemandKey(origin=catalogue.regions[0].name, model=model, tier=Tier.INTERACTIVE_FAST)
    column = MinuteArrivals(offered=one, input_tokens=one, output_tokens=one)
    source = RequestsFromRates(
        ArrivalRates(start=begins, by_demand={key: column}),
        begins=begins,
        lengths={model: lengths_of(model_shape(0))},
        seed=1,
    )
    served = EventEngine(catalogue, source)
    pool, name = catalogue.pools[0].key, "warm"
    ready = ReplicaChange(at=begins, replica_id=name, pool=pool, what=Change.READY)
    for at in source.span.steps(STEP):
        served.serve(Span(at, at + STEP), changes=(ready,) if at == begins else (), tables={})
    served.finishes_at(pool, name, source.span.end)
