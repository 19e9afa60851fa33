"""The worked example of docs/adding-a-policy.md: scale on the number of waiting requests."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.catalogue import FleetCatalogue, PoolSpec
from heliostat.model.fleet import PoolObservation
from heliostat.ports.deciding import PlanningProblem
from planning.guard import ordered
from planning.pool_rules import Wish, kept
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.ruled import ruled

DEFAULT_HEADROOM = 0.5
_WAITING_AT_NO_HEADROOM = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRule:
    """Scale out when more than `most` requests wait per replica, in when none waits."""

    most: float
    policy: str = "queue-rule"

    def wish(self, problem: PlanningProblem, spec: PoolSpec, seen: PoolObservation) -> Wish:
        waiting, base = seen.waiting_requests, ordered(seen)
        if waiting is None:
            return kept(seen, "its queue is not measured")
        why = f"{waiting} requests wait"
        if waiting > self.most * seen.standing:
            return Wish(replicas=base + 1, binding="queue", why=why)
        if not waiting and not seen.coming:
            return Wish(replicas=max(0, base - 1), binding="queue", why=why)
        return Wish(replicas=base, binding="queue", why=why)


def make(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    """Apply the rule every minute, cheapest VM type first, requests to the nearest region."""
    headroom = options.headroom_or(DEFAULT_HEADROOM)
    rule = QueueRule(most=_WAITING_AT_NO_HEADROOM / (1 + headroom))
    return ruled("queue-rule", rule, catalogue, options)


QUEUE_RULE = PolicyPlugin(
    name="queue-rule",
    summary="one replica more while many requests wait, one less while none does",
    make=make,
    headroom="grows when more than 10/(1+h) requests wait per replica",
    default_headroom=DEFAULT_HEADROOM,
    sweep=(0.0, 0.5, 1.0, 4.0),
)
