"""Current practice, tuned: thresholds on utilisation every minute, requests to the nearest region.

A pool grows above 1 ÷ (1 + headroom) and shrinks `BAND` below that. `reactive-kv` looks at KV occupancy
alone, as SageServe's baseline does: with grouped-query attention that hardly ever fills.
"""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.catalogue import FleetCatalogue
from planning.reactive import ReactiveRule, ReactiveSettings
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.ruled import ruled

BAND = 0.2
DEFAULT_HEADROOM = 0.43
MEANING = "grows above 1/(1+h) utilisation, shrinks 20 points below that"
SWEEP = (0.05, 0.11, 0.18, 0.25, 0.43, 0.67, 1.0)


def thresholds(headroom: float | None, *, of_memory: bool = False) -> ReactiveSettings:
    """Above 1 ÷ (1 + headroom) out, `BAND` below that in."""
    out = 1 / (1 + (DEFAULT_HEADROOM if headroom is None else headroom))
    return ReactiveSettings(out_above=out, in_below=max(0.0, out - BAND), of_memory=of_memory)


@dataclass(frozen=True, slots=True)
class _Reactive:
    name: str
    of_memory: bool = False

    def __call__(self, catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
        rule = ReactiveRule(settings=thresholds(options.headroom, of_memory=self.of_memory))
        return ruled(self.name, rule, catalogue, options)


REACTIVE = PolicyPlugin(
    name="reactive",
    summary="thresholds on utilisation, checked every minute",
    make=_Reactive("reactive"),
    headroom=MEANING,
    default_headroom=DEFAULT_HEADROOM,
    sweep=SWEEP,
)
REACTIVE_KV = PolicyPlugin(
    name="reactive-kv",
    summary="the same thresholds on KV occupancy alone, as in SageServe's baseline",
    make=_Reactive("reactive-kv", of_memory=True),
    headroom=MEANING.replace("utilisation", "KV occupancy"),
    default_headroom=DEFAULT_HEADROOM,
    sweep=(0.43, 1.0, 3.0, 9.0, 19.0),
)
