"""What policies cost for what they keep: GPU-hours, dollars and attainment of settings side by side.

Every run has the same start, demand and luck of the clouds: the example fleet, 14 days of history, then
the busiest twelve hours of a working day (08–20 UTC: Europe's day, America's morning ramp and noon).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from benchmarks.example import example_fleet
from benchmarks.figure import Benchmark, Figure
from heliostat.catalogue import FleetCatalogue
from heliostat.clock import cpu_seconds
from heliostat.loops.control import ControlSettings
from heliostat.loops.forecasts import ForecastSettings
from heliostat.model.instants import Span
from planning.rivals.baseline_routers import SeventyPercentRouter
from planning.rivals.reactive import ReactiveSettings
from planning.settings import PlannerSettings
from simulation.accounts import Accounts
from simulation.bootstrap import (
    Policy,
    fluid_engine_without_sketches,
    heliostat_policy,
    reactive_policy,
    simulated_world,
)
from simulation.workload.synthesis import synthesise

SEEDS = (1, 2)
HOURS = 12
HISTORY_DAYS = 14
BUSY_REPLICAS = 24.0
_BEGINS = datetime(2026, 3, 3, 8, tzinfo=UTC)
_AHEAD = ControlSettings(forecasts=ForecastSettings(horizon=timedelta(hours=24)))
Wiring = Callable[[FleetCatalogue], Policy]

HELIOSTAT: Mapping[str, Wiring] = {
    "0.8 of the peak": partial(
        heliostat_policy,
        settings=PlannerSettings(level=0.5, peak_share=0.8, patient_peak_share=0.4),
    ),
    "the peak": partial(
        heliostat_policy, settings=PlannerSettings(level=0.5, patient_peak_share=0.5)
    ),
    "p90 of the peak (default)": heliostat_policy,
}
REACTIVE: Mapping[str, Wiring] = {
    "80/50": partial(reactive_policy, settings=ReactiveSettings(out_above=0.8)),
    "70/50 (default)": reactive_policy,
    "70/30": partial(reactive_policy, settings=ReactiveSettings(in_below=0.3)),
    "60/40": partial(reactive_policy, settings=ReactiveSettings(out_above=0.6, in_below=0.4)),
    "70/30, 70 % router": partial(
        reactive_policy, settings=ReactiveSettings(in_below=0.3), router=SeventyPercentRouter()
    ),
}


def heliostat() -> Iterable[Figure]:
    """Heliostat's forecast quantile: median, default, and the most careful."""
    return _frontier("heliostat", HELIOSTAT)


def reactive() -> Iterable[Figure]:
    """The reactive rule's thresholds, and SageServe's router for it."""
    return _frontier("reactive", REACTIVE)


def _frontier(policy: str, settings: Mapping[str, Wiring]) -> Iterable[Figure]:
    catalogue = example_fleet()
    for setting, wiring in settings.items():
        began = cpu_seconds()
        runs = [run_through(catalogue, wiring(catalogue), seed) for seed in SEEDS]
        yield from _figures(f"{policy} {setting}", policy, runs, cpu_seconds() - began)


def run_through(catalogue: FleetCatalogue, policy: Policy, seed: int) -> Accounts:
    """The accounts of one run. Without forecasts the last day is all that is looked back at."""
    day = _BEGINS.replace(hour=0)
    arrivals = synthesise(
        catalogue,
        start=day - timedelta(days=HISTORY_DAYS),
        days=HISTORY_DAYS + 1,
        busy_replicas=BUSY_REPLICAS,
        seed=seed,
    )
    if policy.rhythm.forecasts is None:
        arrivals = arrivals.within(Span(day - timedelta(days=1), arrivals.span.end))
    world = simulated_world(
        catalogue=catalogue,
        arrivals=arrivals,
        begins=_BEGINS,
        policy=policy,
        seed=seed,
        settings=_AHEAD,
        engine=fluid_engine_without_sketches,
    )
    world.run_until(_BEGINS + timedelta(hours=HOURS))
    return world.accounts()


def _figures(name: str, policy: str, runs: list[Accounts], spent: float) -> Iterable[Figure]:
    """Means over the seeds."""
    kept = [run.slo_attainment_overall or 0.0 for run in runs]
    moved = sum(run.scaling_overhead_gpu_hours for run in runs) / len(runs)
    command = f"make bench ARGS=policies.{policy}"
    yield Figure(
        name=f"{name}, requests within SLO",
        value=100 * sum(kept) / len(kept),
        unit="%",
        better="higher",
        command=command,
        cpu_seconds=spent,
        note=f"per seed {', '.join(f'{100 * share:.2f}' for share in kept)}",
    )
    yield Figure(
        name=f"{name}, billed",
        value=sum(run.gpu_hours_billed for run in runs) / len(runs),
        unit="GPU-h",
        command=command,
        cpu_seconds=spent,
        note=f"{moved:.0f} of them coming, draining or failed",
    )
    yield Figure(
        name=f"{name}, cost",
        value=sum(run.cost_dollars for run in runs) / len(runs),
        unit="$",
        command=command,
        cpu_seconds=spent,
    )


BENCHMARKS: tuple[Benchmark, ...] = (heliostat, reactive)
