"""The starting state of pools, and which of them may not shrink because their data is too old."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from heliostat.model.fleet import Signal
from heliostat.model.names import ModelName, PoolKey
from heliostat.ports.deciding import PlanningProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a pool stands: replicas ready and coming, and why it may not shrink ("" = it may)."""

    ready: int
    coming: int
    held: str = ""

    @property
    def replicas(self) -> int:
        """Ready and coming."""
        return self.ready + self.coming


def standing(
    problem: PlanningProblem, blind_models: Set[ModelName], handed_back: Set[PoolKey]
) -> dict[PoolKey, Standing]:
    """Every pool's standing. Pools without fresh data, or of models without usable forecasts, are held.

    A pool that was never reported counts as being at the last plan's target. One that is handed back from
    an override needs no forecast to shrink.
    """
    found: dict[PoolKey, Standing] = {}
    for spec in problem.catalogue.pools:
        state = problem.fleet.state(spec.key)
        seen = state.observation
        held = ""
        ready, coming = seen.ready, seen.coming
        if spec.key.region == problem.lost_region:
            ready = coming = 0
        elif state.signal is Signal.MISSING:
            held = "it was never reported"
            ready = max(ready, seen.desired, _wanted_last(problem, spec.key))
        elif not state.signal.may_reduce_capacity:
            held = f"its last report is {state.signal}"
            ready = max(ready, seen.desired - coming)
        elif spec.key.model in blind_models and spec.key not in handed_back:
            held = "its demand has no usable forecast"
        found[spec.key] = Standing(ready=ready, coming=coming, held=held)
    return found


def _wanted_last(problem: PlanningProblem, pool: PoolKey) -> int:
    target = problem.previous.target(pool) if problem.previous is not None else None
    return target.replicas if target is not None else 0
