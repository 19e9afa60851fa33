"""Fits any trace to a fleet: two weeks of history and a day of load for its regions, models and tiers.

Nothing is changed silently: every step that is not in the file comes back as a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from numpy.random import SeedSequence

from heliostat.catalogue import FleetCatalogue
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.workload import sentences
from simulation.workload.load import LoadedTrace
from simulation.workload.model_demand import FittingFrame, model_demand
from simulation.workload.stretch import DAY, plan_stretch
from simulation.workload.synthesis import check_level, synthesis_sentences, synthesise
from simulation.workload.tenancy import assign_homes
from simulation.workload.usable import source_clock, usable_series

HISTORY_DAYS = 14
_LENGTHS_ONLY = (
    "Only the lengths of requests are the trace's own: hours and weekdays are synthesised from the "
    "shapes that SageServe publishes."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedDemand:
    """Demand for a fleet: `history` ends where `day` starts; `said` tells how it was made."""

    history: ArrivalRates
    day: ArrivalRates
    said: tuple[str, ...]


def synthesised_demand(
    catalogue: FleetCatalogue,
    *,
    day_start: datetime,
    busy_replicas: float,
    seed: int,
    history_days: int = HISTORY_DAYS,
) -> FittedDemand:
    """History and a day without any trace. Raises InvalidInput."""
    arrivals = synthesise(
        catalogue,
        start=day_start - timedelta(days=history_days),
        days=history_days + 1,
        busy_replicas=busy_replicas,
        seed=seed,
    )
    return _split(arrivals, day_start, list(synthesis_sentences(catalogue, busy_replicas, seed)))


def fit_to_demo(
    trace: LoadedTrace,
    catalogue: FleetCatalogue,
    *,
    day_start: datetime,
    busy_replicas: float,
    seed: int,
    history_days: int = HISTORY_DAYS,
) -> FittedDemand:
    """History and a day out of a trace, at a level that keeps `busy_replicas` per model busy.

    The level counts over all regions in the busiest hour (see `sizing`). Holes stay NaN. The same
    arguments give the same minutes. Raises InvalidTrace when the trace holds no load, InvalidInput.
    """
    check_level(busy_replicas)
    series, said = usable_series(trace)
    start = day_start - timedelta(days=history_days)
    stretch = plan_stretch(series[0].span, (history_days + 1) * DAY)
    homes = assign_homes(series, catalogue)
    offset, clock = source_clock(trace, series[0], start)
    frame = FittingFrame(
        trace=trace,
        catalogue=catalogue,
        series=series,
        stretch=stretch,
        homes=homes,
        start=start,
        source_offset_minutes=offset,
    )
    by_demand: dict[DemandKey, MinuteArrivals] = {}
    scales: list[str] = []
    for index, seeds in enumerate(SeedSequence(seed).spawn(len(catalogue.models))):
        arrivals, scale = model_demand(frame, index, busy_replicas, seeds)
        by_demand |= arrivals
        scales.append(f"{catalogue.models[index].name} × {scale:.3g}")
    said += [stretch.sentence if trace.series else _LENGTHS_ONLY, homes.sentence]
    said += [clock] if stretch.period else []
    said += sentences.said_of_lengths(series)
    said += sentences.said_of_level(series[0].step, busy_replicas, scales, seed)
    said += sentences.said_of_holes(by_demand)
    return _split(ArrivalRates(start=start, by_demand=by_demand), day_start, said)


def _split(arrivals: ArrivalRates, day_start: datetime, said: list[str]) -> FittedDemand:
    return FittedDemand(
        history=arrivals.within(Span(arrivals.start, day_start)),
        day=arrivals.within(Span(day_start, arrivals.span.end)),
        said=tuple(said),
    )
