"""What a scenario looks like for one seed: requests, tokens, busy replicas, peaks, and what is reachable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from heliostat.model.names import ModelName, Tier
from simulation.accounts import STRICT_TTFT_SECONDS
from simulation.arrivals import ArrivalRates
from simulation.columns import Floats
from simulation.requests.binning import binned
from simulation.requests.reach import Reach
from simulation.requests.source import RequestSource
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.sizing import busy_replicas

_CHUNK = timedelta(hours=1)
OnTime = Callable[[datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """One model over all regions; `busy_…` are replicas in the busiest, quietest and mean hour by the
    planner's θ, each on the VM type that is cheapest for the tier; None of a run without a whole hour.
    `peak_to_trough` is of requests per hour, None when some hour has none."""

    model: ModelName
    requests: int
    mean_input_tokens: float | None
    mean_output_tokens: float | None
    busy_peak: float | None
    busy_trough: float | None
    busy_mean: float | None
    peak_to_trough: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFigures:
    """A scenario under one seed. Sums are over its run, without the history.

    `reachable_share`: of the requests, those whose promise an idle best replica could keep;
    `strict_share`: of the interactive-fast ones, those that it could start within
    `STRICT_TTFT_SECONDS`.
    """

    name: str
    description: str
    sized_for: str
    seed: int
    begins: datetime
    ends: datetime
    history_days: float
    regions: tuple[str, ...]
    requests: int
    input_tokens: int
    output_tokens: int
    reachable_share: float | None
    strict_share: float | None
    unknown_minutes: int
    models: tuple[ModelFigures, ...]
    first_fleet_replicas: int
    said: tuple[str, ...]


def scenario_figures(
    scenario: Scenario, seed: int, on_time: OnTime | None = None
) -> ScenarioFigures:
    """Look through a scenario's requests once; memory is flat in their number."""
    source = scenario.source(seed)
    run = binned(source, scenario.span)
    offered = _sum(run, "offered")
    reached, fast, strict = _reached(scenario, source, on_time)
    fleet = scenario.first_fleet(seed)
    return ScenarioFigures(
        name=scenario.name,
        description=scenario.description,
        sized_for=scenario.sized_for,
        seed=seed,
        begins=scenario.begins,
        ends=scenario.ends,
        history_days=scenario.history / timedelta(days=1),
        regions=tuple(region.name for region in scenario.catalogue.regions),
        requests=offered,
        input_tokens=_sum(run, "input_tokens"),
        output_tokens=_sum(run, "output_tokens"),
        reachable_share=reached / offered if offered else None,
        strict_share=strict / fast if fast else None,
        unknown_minutes=sum(
            int(np.isnan(column.offered).sum()) for column in run.by_demand.values()
        ),
        models=_models(scenario, run),
        first_fleet_replicas=sum(fleet.values()),
        said=scenario.said,
    )


def _reached(
    scenario: Scenario, source: RequestSource, on_time: OnTime | None
) -> tuple[int, int, int]:
    """Requests within reach; interactive-fast requests; those of them within the strict second."""
    reach = Reach(scenario.catalogue, source.demands)
    is_fast = np.array([demand.tier is Tier.INTERACTIVE_FAST for demand in source.demands])
    reached = fast = strict = 0
    for begin in scenario.span.steps(_CHUNK):
        end = min(begin + _CHUNK, scenario.ends)
        requests = source.between(begin, end)
        reached += int(reach.of(requests).sum())
        those = is_fast[requests.demand]
        fast += int(those.sum())
        strict += int((reach.first_token_seconds(requests) <= STRICT_TTFT_SECONDS)[those].sum())
        if on_time:
            on_time(end)
    return reached, fast, strict


def _models(scenario: Scenario, run: ArrivalRates) -> tuple[ModelFigures, ...]:
    busy = busy_replicas(scenario.catalogue, run)
    return tuple(_model(model.name, run, busy[model.name]) for model in scenario.catalogue.models)


def _model(name: ModelName, run: ArrivalRates, busy: Floats) -> ModelFigures:
    own = run.only(demand for demand in run.demands if demand.model == name)
    requests = _sum(own, "offered")
    minutes = np.nansum([column.offered for column in own.by_demand.values()], axis=0)
    hours = minutes[: len(busy) * 60].reshape(len(busy), 60).sum(axis=1)
    return ModelFigures(
        model=name,
        requests=requests,
        mean_input_tokens=_sum(own, "input_tokens") / requests if requests else None,
        mean_output_tokens=_sum(own, "output_tokens") / requests if requests else None,
        busy_peak=float(busy.max()) if len(busy) else None,
        busy_trough=float(busy.min()) if len(busy) else None,
        busy_mean=float(busy.mean()) if len(busy) else None,
        peak_to_trough=float(hours.max() / hours.min()) if hours.all() and len(busy) else None,
    )


def _sum(run: ArrivalRates, column: str) -> int:
    return sum(int(np.nansum(getattr(each, column))) for each in run.by_demand.values())
