"""Guardrails: clip targets to what is safe, and say in each reason what was clipped.

In this order: an override replaces the target; min/max; only fresh or true-zero data may shrink a
pool; the cool-down; the largest step; the quota and the budget, which take growth back and never touch
what stands. Overrides pass data, cool-down and step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from heliostat.catalogue import FleetCatalogue
from heliostat.model.fleet import Fleet, PoolObservation, is_ahead
from heliostat.model.governance import Override
from heliostat.model.names import PoolKey
from heliostat.model.plan import PoolTarget
from planning.overrides import overrides_in_force


class CatalogueGuard:
    """Heliostat's `TargetGuard`; stateless."""

    def clip(
        self,
        targets: tuple[PoolTarget, ...],
        *,
        catalogue: FleetCatalogue,
        fleet: Fleet,
        overrides: tuple[Override, ...],
        last_changes: tuple[tuple[PoolKey, datetime], ...],
        now: datetime,
    ) -> tuple[PoolTarget, ...]:
        rules = _Rules(
            catalogue=catalogue,
            fleet=fleet,
            overrides=overrides_in_force(overrides, now),
            last_changes=dict(last_changes),
            now=now,
        )
        clipped = {target.pool: rules.clip(target) for target in targets}
        clipped = rules.within_quotas(clipped)
        clipped = rules.within_budget(clipped)
        return tuple(clipped[target.pool] for target in targets)


Targets = dict[PoolKey, PoolTarget]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    catalogue: FleetCatalogue
    fleet: Fleet
    overrides: dict[PoolKey, Override]
    last_changes: dict[PoolKey, datetime]
    now: datetime

    def clip(self, target: PoolTarget) -> PoolTarget:
        override = self.overrides.get(target.pool)
        if override is not None:
            ruled = _at(target, override.target_replicas, f"override by {override.author}")
            return self._within_limits(ruled)
        target = self._within_limits(target)
        target = self._on_good_data(target)
        target = self._after_cool_down(target)
        return self._within_step(target)

    def _within_limits(self, target: PoolTarget) -> PoolTarget:
        spec = self.catalogue.pool(target.pool)
        if target.replicas < spec.min_replicas:
            return _at(target, spec.min_replicas, f"min_replicas is {spec.min_replicas}")
        if target.replicas > spec.max_replicas:
            return _at(target, spec.max_replicas, f"max_replicas is {spec.max_replicas}")
        return target

    def _on_good_data(self, target: PoolTarget) -> PoolTarget:
        state = self.fleet.state(target.pool)
        stands = max(state.observation.standing, state.observation.desired)
        if target.replicas >= stands or state.signal.may_reduce_capacity:
            return target
        return _at(target, stands, f"{state.signal} data may not shrink a pool")

    def _after_cool_down(self, target: PoolTarget) -> PoolTarget:
        changed = self.last_changes.get(target.pool)
        base = ordered(self.fleet.pool(target.pool))
        if changed is None or is_ahead(changed, self.now) or target.replicas >= base:
            return target  # A change to come is of a clock that has been set back.
        if self.now - changed >= self.catalogue.guardrails.cool_down:
            return target
        return _at(target, base, f"cooling down since {changed:%H:%M:%S} UTC")

    def _within_step(self, target: PoolTarget) -> PoolTarget:
        base = ordered(self.fleet.pool(target.pool))
        rails = self.catalogue.guardrails
        out, back = rails.largest_step_out, rails.largest_step_in
        if out and target.replicas > base + out:
            return _at(target, base + out, f"at most {out} more at once")
        if back and target.replicas < base - back:
            return _at(target, base - back, f"at most {back} fewer at once")
        return target

    def within_quotas(self, targets: Targets) -> Targets:
        for (region, vm_type), quota in self.catalogue.quotas.items():
            group = [p for p in targets if (p.region, p.vm_type) == (region, vm_type)]
            targets = self._take_back(
                targets, group, lambda _: 1.0, quota, f"the quota of {vm_type} is {quota}"
            )
        return targets

    def within_budget(self, targets: Targets) -> Targets:
        budget = self.catalogue.guardrails.budget_dollars_per_hour
        if budget is None:
            return targets
        return self._take_back(
            targets, list(targets), self._price, budget, f"the budget is {budget:g} $/h"
        )

    def _price(self, pool: PoolKey) -> float:
        return self.catalogue.prices[pool.region, pool.vm_type].on_demand

    def _take_back(
        self,
        targets: Targets,
        group: list[PoolKey],
        weight: Callable[[PoolKey], float],
        limit: float,
        why: str,
    ) -> Targets:
        """Take growth back one replica at a time, largest growth first, overrides last."""
        counts = {pool: targets[pool].replicas for pool in group}
        base = {pool: ordered(self.fleet.pool(pool)) for pool in group}
        total = sum(weight(pool) * count for pool, count in counts.items())
        while total > limit + 1e-9:
            growing = [pool for pool in group if counts[pool] > base[pool]]
            if not growing:
                break
            most = max(
                growing, key=lambda p: (p not in self.overrides, counts[p] - base[p], str(p))
            )
            counts[most] -= 1
            total -= weight(most)
        return targets | {
            pool: _at(targets[pool], count, why)
            for pool, count in counts.items()
            if count != targets[pool].replicas
        }


def ordered(observation: PoolObservation) -> int:
    """The last ordered count of a pool; the observed count if nothing was ever ordered."""
    return observation.desired or observation.standing


def _at(target: PoolTarget, replicas: int, why: str) -> PoolTarget:
    """The target at another count, with the clip said; nothing changes when the count is the same."""
    if replicas == target.replicas:
        return target
    clip = f"{target.replicas} → {replicas}: {why}"
    said = f"{target.reason.clip}; {clip}" if target.reason.clip else clip
    return replace(target, replicas=replicas, reason=replace(target.reason, clip=said))
