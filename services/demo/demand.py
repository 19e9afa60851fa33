"""The demo's demand: a trace fitted to the fleet, or synthesised; with notes on every change."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.model.instants import Span
from services.demo.settings import DemoSettings
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.workload.fit import FittedDemand, fit_to_demo, synthesised_demand
from simulation.workload.load import load_trace


def demo_demand(settings: DemoSettings, catalogue: FleetCatalogue) -> FittedDemand:
    """History and a day of demand. The same settings give the same minutes. Raises InvalidTrace."""
    if settings.trace is None:
        return synthesised_demand(
            catalogue,
            day_start=settings.day_start,
            busy_replicas=settings.busy_replicas,
            seed=settings.seed,
            history_days=settings.history_days,
        )
    return fit_to_demo(
        load_trace(settings.trace),
        catalogue,
        day_start=settings.day_start,
        busy_replicas=settings.busy_replicas,
        seed=settings.seed,
        history_days=settings.history_days,
    )


def whole(demand: FittedDemand) -> ArrivalRates:
    """History and day on one grid."""
    past, day = demand.history.by_demand, demand.day.by_demand
    return ArrivalRates(
        start=demand.history.start, by_demand={key: _joined(past[key], day[key]) for key in day}
    )


def remembered(arrivals: ArrivalRates, day_start: datetime) -> ArrivalRates:
    """What a policy without forecasts looks back at: a day, from which token mixes are measured."""
    start = max(arrivals.span.start, day_start - timedelta(days=1))
    return arrivals.within(Span(start, arrivals.span.end))


def _joined(past: MinuteArrivals, day: MinuteArrivals) -> MinuteArrivals:
    columns = {
        column.name: np.concatenate([getattr(past, column.name), getattr(day, column.name)])
        for column in fields(MinuteArrivals)
    }
    return MinuteArrivals(**columns)
