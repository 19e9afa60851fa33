"""When a plan's targets take effect: at once, gated by utilisation, or past the plan on a forecast gap.

The three ways of SageServe (POMACS 9(3) 61): LT-I, LT-U and LT-UA. Orders of people take effect, and
end, at once in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.model.fleet import Fleet, PoolObservation
from heliostat.model.names import PoolKey
from heliostat.model.plan import CapacityPlan, PoolTarget
from planning.bindings import ENDED, LOST, RULED
from planning.guard import ordered
from planning.throughput import throughputs

_AT_ONCE = frozenset({RULED, ENDED, LOST})


class Immediate:
    """LT-I: the plan's targets, now."""

    def apply(self, plan: CapacityPlan, fleet: Fleet, now: datetime) -> tuple[PoolTarget, ...]:
        return plan.targets


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilisationGated:
    """LT-U: towards the plan's count by `step` replicas, out only above `out_above` utilisation, in only
    below `in_below`.

    Where no utilisation is known a pool may grow as planned and does not shrink. A pool without
    ready replicas grows as planned: it has no utilisation to wait for.
    """

    out_above: float = 0.7
    in_below: float = 0.3
    step: int = 1

    def apply(self, plan: CapacityPlan, fleet: Fleet, now: datetime) -> tuple[PoolTarget, ...]:
        return tuple(self.gate(target, fleet.pool(target.pool)) for target in plan.targets)

    def gate(self, target: PoolTarget, seen: PoolObservation) -> PoolTarget:
        """The target in force for one pool."""
        base, busy = ordered(seen), seen.utilisation
        if target.reason.binding in _AT_ONCE or target.replicas == base:
            return target
        if target.replicas > base:
            if busy is None or not seen.ready:
                return target
            if busy > self.out_above:
                return _held(target, min(target.replicas, base + self.step), f"{busy:.0%} busy")
            return _held(target, base, f"{busy:.0%} busy, grows above {self.out_above:.0%}")
        if busy is None:
            return _held(target, base, "utilisation is unknown")
        if busy < self.in_below:
            return _held(target, max(target.replicas, base - self.step), f"{busy:.0%} busy")
        return _held(target, base, f"{busy:.0%} busy, shrinks below {self.in_below:.0%}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastGap:
    """LT-UA: as LT-U, and past the plan's count in the last `window` of each hour when demand is far off.

    Observed over forecast is taken as busy replicas seen (utilisation × ready) over busy replicas
    planned (flows ÷ θ at the catalogue's mixes). Above `high` a pool grows by `step` beyond its
    target, below `low` it shrinks by `step` below it, within the pool's limits.
    """

    catalogue: FleetCatalogue
    gated: UtilisationGated = UtilisationGated()
    high: float = 5.0
    low: float = 0.5
    window: timedelta = timedelta(minutes=20)

    def apply(self, plan: CapacityPlan, fleet: Fleet, now: datetime) -> tuple[PoolTarget, ...]:
        targets = self.gated.apply(plan, fleet, now)
        hour = now.replace(minute=0, second=0) + timedelta(hours=1)
        if hour - now > self.window:
            return targets
        planned = planned_busy(plan, self.catalogue)
        return tuple(self._beyond(t, fleet.pool(t.pool), planned) for t in targets)

    def _beyond(
        self, target: PoolTarget, seen: PoolObservation, planned: Mapping[PoolKey, float]
    ) -> PoolTarget:
        expected = planned.get(target.pool, 0.0)
        if seen.utilisation is None or expected <= 0 or target.reason.binding in _AT_ONCE:
            return target
        gap = seen.utilisation * seen.ready / expected
        spec, base = self.catalogue.pool(target.pool), ordered(seen)
        if gap > self.high and seen.utilisation > self.gated.out_above:
            more = min(max(target.replicas, base) + self.gated.step, spec.max_replicas)
            return _held(target, more, f"demand is {gap:.1f} × the forecast")
        if gap < self.low and seen.utilisation < self.gated.in_below:
            fewer = max(min(target.replicas, base) - self.gated.step, spec.min_replicas)
            return _held(target, fewer, f"demand is {gap:.1f} × the forecast")
        return target


def planned_busy(plan: CapacityPlan, catalogue: FleetCatalogue) -> dict[PoolKey, float]:
    """Busy replicas that a plan's flows mean for each pool."""
    thetas = throughputs(catalogue, ())
    busy: dict[PoolKey, float] = {}
    for flow in plan.flows:
        rate = thetas[flow.demand.model, flow.vm_type, flow.demand.tier].requests_per_second
        pool = PoolKey(region=flow.serving, model=flow.demand.model, vm_type=flow.vm_type)
        if rate > 0:
            busy[pool] = busy.get(pool, 0.0) + flow.requests_per_second / rate
    return busy


def _held(target: PoolTarget, replicas: int, why: str) -> PoolTarget:
    if replicas == target.replicas:
        return target
    summary = f"{target.reason.summary}; in force now: {replicas} ({why})"
    return replace(target, replicas=replicas, reason=replace(target.reason, summary=summary))
