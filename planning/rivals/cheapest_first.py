"""Where a model stands on several VM types in a region: the cheapest grows first, the dearest shrinks first.

Rules that judge pools alone would grow all of them at once on the load that they share. An operator gives
the dear type a floor, and lets it grow when the cheap one is sold out.
"""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.catalogue import PoolSpec
from heliostat.model.fleet import PoolObservation
from heliostat.ports.deciding import PlanningProblem
from planning.guard import ordered
from planning.pool_rules import PoolRule, Wish, room_left
from planning.rivals.replica_load import replica_load


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapestFirst:
    """The `PoolRule` that lets another one act on the pool whose turn it is."""

    rule: PoolRule

    @property
    def policy(self) -> str:
        """The other rule's name."""
        return self.rule.policy

    def wish(self, problem: PlanningProblem, spec: PoolSpec, seen: PoolObservation) -> Wish:
        wish = self.rule.wish(problem, spec, seen)
        base = ordered(seen)
        if wish.replicas == base:
            return wish
        ranked = by_cost(problem, spec)
        place = next(i for i, other in enumerate(ranked) if other.key == spec.key)
        if wish.replicas > base:
            for other in ranked[:place]:
                if _has_room(problem, other):
                    return _held(base, wish, f"{other.key.vm_type} is cheaper and grows first")
        else:
            for other in ranked[place + 1 :]:
                if problem.fleet.pool(other.key).standing > other.min_replicas:
                    return _held(
                        base, wish, f"{other.key.vm_type} is more expensive and shrinks first"
                    )
        return wish


def by_cost(problem: PlanningProblem, spec: PoolSpec) -> list[PoolSpec]:
    """The ready pools of a pool's model and region, by dollars per request, itself among them."""

    def dollars_per_request(other: PoolSpec) -> float:
        load = replica_load(problem, other.key)
        price = problem.catalogue.prices[other.key.region, other.key.vm_type].on_demand
        return float("inf") if load is None else price / load.requests_per_second

    mates = [
        other
        for other in problem.catalogue.pools
        if (other.key.region, other.key.model) == (spec.key.region, spec.key.model)
        and (problem.fleet.pool(other.key).ready or other.key == spec.key)
    ]
    return sorted(mates, key=lambda other: (dollars_per_request(other), other.key))


def _has_room(problem: PlanningProblem, spec: PoolSpec) -> bool:
    below = problem.fleet.pool(spec.key).standing < spec.max_replicas
    return below and room_left(problem).get((spec.key.region, spec.key.vm_type), 0) > 0


def _held(base: int, wish: Wish, why: str) -> Wish:
    later = None if wish.later is None else min(wish.later, base)
    return Wish(replicas=base, binding="cheapest first", why=f"{wish.why}; {why}", later=later)
