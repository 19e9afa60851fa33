"""Silos: interactive and batch work of every model on pools of their own, each under the reactive rule."""

from __future__ import annotations

from dataclasses import replace

from heliostat.catalogue import FleetCatalogue
from simulation.local_policy import LocalPolicy
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.reactive import DEFAULT_HEADROOM, MEANING, REACTIVE, SWEEP
from simulation.policies.recast import siloed
from simulation.policies.wiring import local_policy


def _make(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    """The reactive policy in the recast fleet. Batch pools serve nothing else, so nothing is held back."""
    recast = siloed(catalogue)
    reactive = REACTIVE.make(recast.catalogue, options)
    return replace(
        reactive,
        name="siloed",
        recast=recast,
        local=local_policy(options, LocalPolicy(batch_admission=None)),
    )


SILOED = PolicyPlugin(
    name="siloed",
    summary="separate interactive and batch pools, each scaled by the reactive rule",
    make=_make,
    headroom=MEANING,
    default_headroom=DEFAULT_HEADROOM,
    sweep=SWEEP,
)
