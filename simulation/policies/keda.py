"""Kubernetes with KEDA: replicas = ceil(requests ÷ target), tuned as operators would (`planning.rivals`)."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.catalogue import FleetCatalogue
from planning.rivals.hpa import HpaMetric, HpaRule, HpaSettings
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.ruled import ruled

DEFAULT_HEADROOM = 0.43


@dataclass(frozen=True, slots=True)
class _Keda:
    name: str
    metric: HpaMetric

    def __call__(self, catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
        headroom = options.headroom_or(DEFAULT_HEADROOM)
        rule = HpaRule(HpaSettings(headroom=headroom, metric=self.metric))
        return ruled(self.name, rule, catalogue, options)


KEDA = PolicyPlugin(
    name="keda",
    summary="the horizontal autoscaler's formula on requests in flight per replica",
    make=_Keda("keda", HpaMetric.IN_FLIGHT),
    headroom="target: requests in flight per replica at 1/(1+h) of its throughput",
    default_headroom=DEFAULT_HEADROOM,
    sweep=(0.05, 0.11, 0.18, 0.25, 0.43, 0.67, 1.0),
)
KEDA_QUEUE = PolicyPlugin(
    name="keda-queue",
    summary="the same formula on waiting requests, as in many deployments",
    make=_Keda("keda-queue", HpaMetric.QUEUE),
    headroom="as keda, for waiting requests per replica",
    default_headroom=DEFAULT_HEADROOM,
    sweep=(0.43, 1.0, 3.0, 9.0, 19.0),
)
