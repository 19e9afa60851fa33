"""Fits any trace to a fleet: history and days of load for its regions, models and tiers.

Nothing is changed silently: every step that is not in the file comes back as a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from numpy.random import SeedSequence

from heliostat.catalogue import FleetCatalogue
from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import DemandKey
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.workload import sentences
from simulation.workload.clocks import offset_minutes
from simulation.workload.load import LoadedTrace
from simulation.workload.model_demand import FittingFrame, model_demand
from simulation.workload.series import LoadSeries
from simulation.workload.stretch import DAY, plan_stretch
from simulation.workload.synthesis import synthesis_sentences, synthesise
from simulation.workload.tenancy import assign_homes
from simulation.workload.usable import source_clock, usable_series
from simulation.workload.wanted import HISTORY_DAYS, FleetDemand, WantedDemand

_LENGTHS_ONLY = (
    "Only request lengths come from the trace: hours and weekdays are synthesised from the shapes "
    "that SageServe publishes."
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
    wanted = WantedDemand(
        begins=day_start, busy_replicas=busy_replicas, seed=seed, history_days=history_days
    )
    return _split(synthesise_for(catalogue, wanted), wanted)


def synthesise_for(catalogue: FleetCatalogue, wanted: WantedDemand) -> FleetDemand:
    """The wanted demand without any trace. Raises InvalidInput."""
    arrivals = synthesise(
        catalogue,
        start=wanted.start,
        days=wanted.all_days,
        busy_replicas=wanted.busy_replicas,
        seed=wanted.seed,
        mix=wanted.mix,
        seconds_of=wanted.seconds_of,
        shared_bursts=wanted.shared_bursts,
        lengths=wanted.lengths,
    )
    said = synthesis_sentences(catalogue, wanted.busy_replicas, wanted.mix)
    return FleetDemand(arrivals=arrivals, said=said)


def fit_to_demo(
    trace: LoadedTrace,
    catalogue: FleetCatalogue,
    *,
    day_start: datetime,
    busy_replicas: float,
    seed: int,
    history_days: int = HISTORY_DAYS,
) -> FittedDemand:
    """History and a day out of a trace. Raises InvalidTrace when the trace holds no load, InvalidInput."""
    wanted = WantedDemand(
        begins=day_start, busy_replicas=busy_replicas, seed=seed, history_days=history_days
    )
    return _split(fit_to_fleet(trace, catalogue, wanted), wanted)


def fit_to_fleet(
    trace: LoadedTrace, catalogue: FleetCatalogue, wanted: WantedDemand
) -> FleetDemand:
    """The wanted demand out of a trace, at the wanted level. Holes stay NaN.

    Dates are kept where the trace covers them in every region, else weekdays. Raises InvalidTrace
    when the trace holds no load, InvalidInput.
    """
    series, said = usable_series(trace)
    offset, clock = source_clock(trace, series[0], wanted.start)
    stretch = plan_stretch(
        series[0].span, wanted.all_days * DAY, _dated(series[0], catalogue, wanted.start, offset)
    )
    homes = assign_homes(series, catalogue)
    frame = FittingFrame(
        trace=trace,
        catalogue=catalogue,
        series=series,
        stretch=stretch,
        homes=homes,
        wanted=wanted,
        laws=wanted.laws(catalogue),
        source_offset_minutes=offset,
    )
    by_demand: dict[DemandKey, MinuteArrivals] = {}
    scales: list[str] = []
    for index, seeds in enumerate(SeedSequence(wanted.seed).spawn(len(catalogue.models))):
        arrivals, scale = model_demand(frame, index, seeds)
        by_demand |= arrivals
        scales.append(f"{catalogue.models[index].name} × {scale:.3g}")
    said += [stretch.sentence if trace.series else _LENGTHS_ONLY, homes.sentence]
    said += [clock] if stretch.period and not homes.tiers else []
    said += sentences.said_of_lengths(series)
    said += sentences.said_of_level(series[0].step, wanted, scales, tiers_known=bool(homes.tiers))
    said += sentences.said_of_holes(by_demand)
    return FleetDemand(
        arrivals=ArrivalRates(start=wanted.start, by_demand=by_demand), said=tuple(said)
    )


def _dated(
    series: LoadSeries, catalogue: FleetCatalogue, start: datetime, source_offset_minutes: int
) -> tuple[int, ...]:
    """How many minutes the wanted start lies after the series' own, by local clocks, per region.

    () when the series has no date.
    """
    if series.start is None:
        return ()
    first = to_epoch(series.start) // 60 + source_offset_minutes
    wanted = to_epoch(start) // 60
    return tuple(wanted + offset_minutes(region, start) - first for region in catalogue.regions)


def _split(demand: FleetDemand, wanted: WantedDemand) -> FittedDemand:
    arrivals = demand.arrivals
    return FittedDemand(
        history=arrivals.within(Span(arrivals.start, wanted.begins)),
        day=arrivals.within(Span(wanted.begins, arrivals.span.end)),
        said=(*demand.said, f"Seed {wanted.seed}."),
    )
