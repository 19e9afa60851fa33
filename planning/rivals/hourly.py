"""SageServe's rhythm: the integer programme decides on the hour, in between its answer stands.

The programme (`planning.rivals.sageserve`) sees forecasts of interactive work as they are and of batch work
by a tenth, which is its buffer for it (POMACS 9(3) 61, forecast: 10 % of the last hour's; ours: of what
is forecast, which for flat batch work is the same). What was forecast for each region goes into the plan as
flows at home, so that a strategy can compare it with what comes (LT-UA); routing may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from heliostat.errors import InvalidInput
from heliostat.model.counting import replicas_in_words
from heliostat.model.demand import TokenMix
from heliostat.model.forecast import Forecast
from heliostat.model.instants import floor_to
from heliostat.model.names import EVERYWHERE, DemandKey, ModelName, SeriesKey, Tier, TokenKind
from heliostat.model.plan import CapacityPlan, Flow, PlanStatus, PoolTarget, Reason
from heliostat.ports.deciding import PlanningProblem
from planning.rivals.sageserve import POLICY, SageServePlanner, SageServeSettings
from planning.solve import Stopwatch, not_measured

_HOUR = timedelta(hours=1)
_MEDIAN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlySettings:
    """`headroom`: the programme covers 1 + headroom times the forecast, since its replicas count with
    their full throughput; below 0 it covers less than the peak. `batch_buffer` is the share of batch
    work that capacity is held for."""

    programme: SageServeSettings = SageServeSettings()
    headroom: float = 0.25
    batch_buffer: float = 0.1

    def __post_init__(self) -> None:
        if self.headroom <= -1 or not 0 <= self.batch_buffer <= 1:
            raise InvalidInput("hourly", "needs headroom above -1, a buffer within [0, 1]")


class HourlySageServe:
    """The `CapacityPlanner` that may be asked every minute and decides once an hour."""

    def __init__(
        self,
        settings: HourlySettings | None = None,
        *,
        stopwatch: Stopwatch = not_measured,
    ) -> None:
        self._settings = settings or HourlySettings()
        self._programme = SageServePlanner(self._settings.programme, stopwatch=stopwatch)

    def plan(self, problem: PlanningProblem) -> CapacityPlan:
        previous = problem.previous
        if previous is not None and _stands(previous, problem):
            return _again(previous, problem)
        forecasts = tuple(self._held_for(forecast) for forecast in problem.forecasts)
        plan = self._programme.plan(replace(problem, forecasts=forecasts))
        return replace(plan, flows=expected_at_home(problem, plan))

    def _held_for(self, forecast: Forecast) -> Forecast:
        factor = 1 + self._settings.headroom
        if forecast.key.demand.tier is Tier.BATCH:
            factor *= self._settings.batch_buffer
        return forecast.scaled(factor)


def _stands(previous: CapacityPlan, problem: PlanningProblem) -> bool:
    """True during the hour for which the programme decided, without an override."""
    return (
        previous.policy == POLICY
        and previous.status is PlanStatus.SOLVED
        and floor_to(previous.first_step, _HOUR) == floor_to(problem.at, _HOUR)
        and not problem.overrides
        and problem.lost_region is None
        and {target.pool for target in previous.targets}
        == {spec.key for spec in problem.catalogue.pools}
    )


def _again(previous: CapacityPlan, problem: PlanningProblem) -> CapacityPlan:
    """The same decision, seen from now: what strategies and guardrails made of it is forgotten."""
    return replace(
        previous,
        created_at=problem.at,
        version=0,
        targets=tuple(_as_decided(target, previous, problem) for target in previous.targets),
    )


def _as_decided(target: PoolTarget, previous: CapacityPlan, problem: PlanningProblem) -> PoolTarget:
    decided = target.path[0] if target.path else target.replicas
    current = problem.fleet.pool(target.pool).standing
    return replace(
        target,
        replicas=decided,
        current=current,
        reason=Reason(
            summary=f"{replicas_in_words(decided)}, {current} now: decided at {previous.first_step:%H:%M}",
            binding=target.reason.binding,
            forecast=target.reason.forecast,
        ),
    )


def expected_at_home(problem: PlanningProblem, plan: CapacityPlan) -> tuple[Flow, ...]:
    """The median of what is forecast for the hour, region by region, over its pools as they are planned."""
    found = {forecast.key: forecast for forecast in problem.forecasts}
    mixes = problem.catalogue.mixes(problem.mixes)
    flows: list[Flow] = []
    for model in problem.catalogue.models:
        for spec in model.tiers:
            mix = mixes[model.name, spec.tier]
            for region in problem.catalogue.regions:
                demand = DemandKey(origin=region.name, model=model.name, tier=spec.tier)
                rate = _requests_per_second(found, demand, mix, problem)
                flows += _over_pools(demand, rate, _planned(plan, demand, model.name))
    return tuple(flows)


def _requests_per_second(
    found: Mapping[SeriesKey, Forecast],
    demand: DemandKey,
    mix: TokenMix,
    problem: PlanningProblem,
) -> float:
    assert demand.origin != EVERYWHERE, "what is expected at home is a region's own"
    forecast = found.get(SeriesKey(demand=demand, kind=TokenKind.INPUT))
    step = None if forecast is None else forecast.step_of(problem.at)
    if forecast is None or step is None:
        return 0.0
    row = forecast.mean[forecast.level_index(_MEDIAN)]
    hour = row[step : step + max(1, _HOUR // forecast.step)]
    return max(0.0, sum(hour) / len(hour)) / max(1.0, mix.input_tokens)


def _planned(plan: CapacityPlan, demand: DemandKey, model: ModelName) -> list[PoolTarget]:
    return [
        target
        for target in plan.targets
        if (target.pool.region, target.pool.model) == (demand.origin, model) and target.replicas
    ]


def _over_pools(demand: DemandKey, rate: float, targets: list[PoolTarget]) -> list[Flow]:
    total = sum(target.replicas for target in targets)
    return [
        Flow(
            demand=demand,
            serving=demand.origin,
            vm_type=target.pool.vm_type,
            requests_per_second=rate * target.replicas / total,
        )
        for target in targets
        if rate > 0
    ]
