"""The tuned reactive baseline: no forecast, one step out above a utilisation, one step in below another.

Utilisation is spread over what is ready and what is coming, so that capacity under way counts and is
not ordered twice. A pool without fresh data stays as it is, and one without any replica grows to
its minimum. (SageServe's reactive rule with the memory signal replaced by ours and other thresholds.)
"""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.catalogue import PoolSpec
from heliostat.errors import InvalidInput
from heliostat.model.fleet import PoolObservation
from heliostat.ports.deciding import PlanningProblem
from planning.guard import ordered
from planning.pool_rules import Wish, kept

POLICY = "reactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactiveSettings:
    """Above `out_above` a pool grows by `step_out`, below `in_below` it shrinks by `step_in`.

    The defaults are the cheapest of those swept that keep 99 % of the example fleet's requests within
    their SLO (docs/decisions/0011). SageServe's own are 0.7 and 0.3, on `of_memory`: KV occupancy
    alone instead of our utilisation.
    """

    out_above: float = 0.7
    in_below: float = 0.5
    step_out: int = 1
    step_in: int = 1
    of_memory: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.in_below < self.out_above:
            raise InvalidInput("reactive", "in_below must lie below out_above, both at least 0")
        if min(self.step_out, self.step_in) < 1:
            raise InvalidInput("reactive.step", "must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactiveRule:
    """The `PoolRule` of two thresholds."""

    settings: ReactiveSettings

    @property
    def policy(self) -> str:
        """Plans on KV occupancy are labelled: it is another signal."""
        return f"{POLICY}-kv" if self.settings.of_memory else POLICY

    def wish(self, problem: PlanningProblem, spec: PoolSpec, seen: PoolObservation) -> Wish:
        rule, base = self.settings, ordered(seen)
        busy = seen.kv_occupancy if rule.of_memory else seen.utilisation
        if busy is None:
            return kept(seen, "utilisation is unknown")
        share = f"{busy:.0%} of its memory in use" if rule.of_memory else f"{busy:.0%} busy"
        spread = busy * seen.ready / max(1, seen.standing)
        if spread > rule.out_above:
            return Wish(replicas=base + rule.step_out, binding="utilisation", why=share)
        if spread < rule.in_below and not seen.coming:
            fewer = max(0, base - rule.step_in)
            return Wish(replicas=fewer, binding="utilisation", why=f"only {share}")
        return Wish(replicas=base, binding="utilisation", why=f"{share} is between the thresholds")
