"""Llumnix's scaling by freeness, tuned to each model's memory or with the published thresholds.

Requests go to the replica with the least work: by freeness (`dispatch: freeness`) it keeps fewer promises
for as many replicas. Nothing migrates.
"""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.catalogue import FleetCatalogue
from planning.rivals.freeness import FreenessRule, FreenessSettings
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.ruled import ruled

DEFAULT_HEADROOM = 0.43


@dataclass(frozen=True, slots=True)
class _Llumnix:
    name: str
    tuned: bool

    def __call__(self, catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
        headroom = options.headroom_or(DEFAULT_HEADROOM if self.tuned else 0.0)
        rule = FreenessRule(settings=FreenessSettings(headroom=headroom, tuned=self.tuned))
        return ruled(self.name, rule, catalogue, options)


LLUMNIX = PolicyPlugin(
    name="llumnix",
    summary="one replica more or less by mean freeness, thresholds tuned to each model",
    make=_Llumnix("llumnix", tuned=True),
    headroom="grows below the freeness of a replica at 1/(1+h) of its throughput",
    default_headroom=DEFAULT_HEADROOM,
    sweep=(0.05, 0.11, 0.18, 0.25, 0.43, 0.67, 1.0),
    fluid="which replica has most free memory; it spreads work evenly",
)
LLUMNIX_UNTUNED = PolicyPlugin(
    name="llumnix-untuned",
    summary="the published thresholds: grow below 10, shrink above 60 free blocks per request",
    make=_Llumnix("llumnix-untuned", tuned=False),
    headroom="published thresholds × (1+h)",
    default_headroom=0.0,
    sweep=(0.0, 3.0, 15.0, 60.0, 250.0),
    fluid="which replica has most free memory; it spreads work evenly",
)
