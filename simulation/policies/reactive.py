"""Current practice: a pool grows above one threshold and shrinks below another, checked every minute.

`reactive` is the tuned baseline (docs/decisions/0011): out above 1 ÷ (1 + headroom) utilisation, in 20 points
below that, requests to the nearest region. `reactive-70-30` is SageServe's baseline: out above 70 %, in below
30 %, requests to the nearest region below 70 %. The `-kv` variants use KV occupancy alone, as SageServe
does: with grouped-query attention that hardly ever fills.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from heliostat.catalogue import FleetCatalogue
from planning.rivals.reactive import ReactiveRule, ReactiveSettings
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.routers import SEVENTY
from simulation.policies.ruled import ruled

BAND = 0.2
PAPER_RATIO = 3 / 7
"""SageServe's: 30 % and 70 %."""
DEFAULT_HEADROOM = 0.43
MEANING = "grows above 1/(1+h) utilisation, shrinks 20 points below that, but not below 3/7 of it"
PAPER_MEANING = (
    "grows above 1/(1+h) utilisation in whole per cent, shrinks at 3/7 of that: 0.43 = 70/30"
)
SWEEP = (0.05, 0.11, 0.18, 0.25, 0.43, 0.67, 1.0)


def thresholds(headroom: float | None, *, of_memory: bool = False) -> ReactiveSettings:
    """Above 1 ÷ (1 + headroom) out, `BAND` below that in; low thresholds as far apart as SageServe's, since
    at or below nothing a pool would never shrink."""
    out = _share(headroom)
    below = max(out - BAND, PAPER_RATIO * out)
    return ReactiveSettings(out_above=out, in_below=below, of_memory=of_memory)


def paper_thresholds(headroom: float | None, *, of_memory: bool = False) -> ReactiveSettings:
    """Out in whole per cent, in at `PAPER_RATIO` of that: 0.43, the default, gives 70/30."""
    out = max(0.01, round(_share(headroom), 2))
    below = round(PAPER_RATIO * out, 3)
    return ReactiveSettings(out_above=out, in_below=below, of_memory=of_memory)


def _share(headroom: float | None) -> float:
    return 1 / (1 + (DEFAULT_HEADROOM if headroom is None else headroom))


@dataclass(frozen=True, slots=True)
class _Reactive:
    name: str
    of_memory: bool = False
    settings_at: Callable[..., ReactiveSettings] = thresholds
    router: str = ""
    """Unless the options name one; empty = what every rule on replicas has."""

    def __call__(self, catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
        settings = self.settings_at(options.headroom, of_memory=self.of_memory)
        routed = replace(options, router=options.router or self.router)
        return ruled(self.name, ReactiveRule(settings=settings), catalogue, routed)


def _as_published(name: str, *, of_memory: bool = False) -> _Reactive:
    return _Reactive(name, of_memory, paper_thresholds, SEVENTY)


REACTIVE = PolicyPlugin(
    name="reactive",
    summary="thresholds on utilisation, 20 points apart, checked every minute",
    make=_Reactive("reactive"),
    headroom=MEANING,
    default_headroom=DEFAULT_HEADROOM,
    sweep=SWEEP,
)
REACTIVE_KV = PolicyPlugin(
    name="reactive-kv",
    summary="reactive's thresholds on KV occupancy alone",
    make=_Reactive("reactive-kv", of_memory=True),
    headroom=MEANING.replace("utilisation", "KV occupancy"),
    default_headroom=DEFAULT_HEADROOM,
    sweep=(0.43, 1.0, 3.0, 9.0, 19.0),
)
REACTIVE_70_30 = PolicyPlugin(
    name="reactive-70-30",
    summary="SageServe's baseline thresholds, out above 70 % and in below 30 %, and its 70 % router",
    make=_as_published("reactive-70-30"),
    headroom=PAPER_MEANING,
    default_headroom=DEFAULT_HEADROOM,
    sweep=SWEEP,
)
REACTIVE_KV_70_30 = PolicyPlugin(
    name="reactive-kv-70-30",
    summary="SageServe's baseline as published: 70/30 on KV occupancy alone, and its 70 % router",
    make=_as_published("reactive-kv-70-30", of_memory=True),
    headroom=PAPER_MEANING.replace("utilisation", "KV occupancy"),
    default_headroom=DEFAULT_HEADROOM,
    sweep=REACTIVE_KV.sweep,
)
