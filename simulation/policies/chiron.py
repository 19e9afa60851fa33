"""Chiron, whole and by halves: global scaling by backpressure, a batch size that follows it locally.

Interactive work evicts batch work, whose memory waits in the host. The halves show which lever earns
what: `chiron-global` keeps the batch size that engines have, `chiron-local` scales by the reactive rule.

Requests are packed onto the fullest replica with room, so that the share of busy replicas means
something, and prompts are read in chunks, so that packing stalls nobody. Where first tokens are promised
within a second packing breaks too many of them: `dispatch: least-work` with `prefill: whole-prompts` is its
better setting there (docs/decisions/0019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.model.fleet import StartKind
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.usage import WINDOW
from planning.rivals.chiron import ChironRule, ChironSettings
from simulation.arrivals import ArrivalRates
from simulation.columns import Floats
from simulation.local_policy import (
    ChironBatchSize,
    Dispatch,
    LocalPolicy,
    Preemption,
    Prefill,
    StaticBatchSize,
)
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.reactive import DEFAULT_HEADROOM, MEANING, REACTIVE, SWEEP
from simulation.policies.ruled import ruled
from simulation.policies.wiring import local_policy

SPIKE_QUANTILE = 0.95
"""The paper says "the spikes of history" and not which: ours leaves out one lead time in twenty."""
UNKNOWN_SPIKE = 2.0
"""Ours: twice the mean, where no history tells."""
DEFAULT_SPARE = 1.0
"""A spike of 3 × within a load time holds three times the busy replicas: the paper's Θ = 1/3."""
SPARES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
LOCAL = LocalPolicy(
    dispatch=Dispatch.PACK,
    prefill=Prefill.CHUNKS,
    batch_size=ChironBatchSize(),
    preemption=Preemption.SWAP,
    interactive_evicts_batch=True,
)
"""Batch work is let in by utilisation as everywhere: let in almost always, since interactive work takes its
place back, it costs attainment in copies and earns nothing."""


def spikes(history: ArrivalRates, lead: timedelta) -> Mapping[ModelName, float]:
    """Per model, how far interactive arrivals of a region rise within a lead time (a quantile, ≥ 1).

    The largest minute of the next lead time ÷ the mean of the last five minutes, over all minutes
    and regions; holes are left out. Models without arrivals are absent.
    """
    by_place: dict[tuple[ModelName, RegionName], Floats] = {}
    for key, arrivals in history.by_demand.items():
        if key.tier is not Tier.BATCH:
            place = (key.model, key.origin)
            by_place[place] = by_place.get(place, 0.0) + arrivals.offered
    found: dict[ModelName, list[Floats]] = {}
    for (model, _), offered in by_place.items():
        found.setdefault(model, []).append(_rises(offered, max(1, round(lead / WINDOW))))
    return {
        model: max(1.0, float(np.quantile(rises, SPIKE_QUANTILE)))
        for model, parts in found.items()
        if (rises := np.concatenate(parts)).size
    }


def _rises(offered: Floats, lead: int, past: int = 5) -> Floats:
    if len(offered) < lead + past:
        return np.zeros(0)
    ahead = np.lib.stride_tricks.sliding_window_view(offered[past:], lead).max(axis=1)
    behind = np.lib.stride_tricks.sliding_window_view(offered, past).mean(axis=1)[: len(ahead)]
    known = np.isfinite(ahead) & np.isfinite(behind) & (behind > 0)
    rises: Floats = ahead[known] / behind[known]
    return rises


def thetas(catalogue: FleetCatalogue, options: PolicyOptions) -> ChironSettings:
    """Θ by model: 1 ÷ (1 + headroom × (spike − 1)), spikes of 2 where no history says."""
    headroom = options.headroom_or(DEFAULT_SPARE)
    priors = catalogue.lead_time_priors.items()
    lead = max(prior.p50 for (_, kind), prior in priors if kind is StartKind.COLD)
    risen = {} if options.history is None else spikes(options.history, lead)

    def theta(spike: float) -> float:
        return 1 / (1 + headroom * (spike - 1))

    return ChironSettings(
        theta={model: theta(spike) for model, spike in risen.items()},
        otherwise=theta(UNKNOWN_SPIKE),
    )


def _global(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    rule = ChironRule(settings=thetas(catalogue, options))
    own = replace(LOCAL, batch_size=StaticBatchSize())
    return ruled("chiron-global", rule, catalogue, options, own)


def _whole(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    rule = ChironRule(settings=thetas(catalogue, options))
    return ruled("chiron", rule, catalogue, options, LOCAL)


def _local(catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
    reactive = REACTIVE.make(catalogue, options)
    return replace(reactive, name="chiron-local", local=local_policy(options, LOCAL))


_THETA = "Θ = 1/(1 + h·(spike − 1)), spikes within a lead time learnt from history (else 2)"
_FLUID = "batch sizes, packing, eviction and the batch backlog"

CHIRON = PolicyPlugin(
    name="chiron",
    summary="scaling by interactive and batch backpressure, batch sizes by local backpressure",
    make=_whole,
    headroom=_THETA,
    default_headroom=DEFAULT_SPARE,
    sweep=SPARES,
    fluid=_FLUID,
    learns=True,
)
CHIRON_GLOBAL = PolicyPlugin(
    name="chiron-global",
    summary="only chiron's scaling; engines keep their batch size",
    make=_global,
    headroom=_THETA,
    default_headroom=DEFAULT_SPARE,
    sweep=SPARES,
    fluid=_FLUID,
    learns=True,
)
CHIRON_LOCAL = PolicyPlugin(
    name="chiron-local",
    summary="only chiron's batch sizes, packing and eviction, scaled by the reactive rule",
    make=_local,
    headroom=MEANING,
    default_headroom=DEFAULT_HEADROOM,
    sweep=SWEEP,
    fluid=_FLUID,
)
