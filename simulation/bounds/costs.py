"""What a request of each demand costs in each pool that may serve it: the coefficients of the bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heliostat.catalogue import FleetCatalogue, PoolSpec, TierSpec
from heliostat.model.engine import EngineLaw
from heliostat.model.names import DemandKey
from simulation.bounds.goodput import NO_GAP
from simulation.bounds.work import Work
from simulation.columns import Floats

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arcs:
    """A arcs from a demand to a pool that may serve it; (A, T) arrays, per request.

    `seconds` of its own on a replica; the iterations' worth that the largest batch (`of_batch`), the KV
    cache (`of_memory`) and the promised token gap (`of_gap`) make of it: each row of the bound takes one.
    `able` is False where an iteration of nothing would break the promised gap.
    """

    demand: Ints
    pool: Ints
    seconds: Floats
    of_batch: Floats
    of_memory: Floats
    of_gap: Floats
    able: Bools


def arcs_of(catalogue: FleetCatalogue, work: Work) -> Arcs:
    """All arcs that residency, latency budgets and engine laws allow, in the order of demands and pools."""
    found = [
        (c, p, _per_request(catalogue, work, c, spec, tier))
        for c, key in enumerate(work.demands)
        if (tier := catalogue.model(key.model).tier(key.tier)) is not None
        for p, spec in enumerate(catalogue.pools)
        if _may_serve(catalogue, key, spec)
    ]
    shape = (len(found), work.steps)

    def column(number: int) -> Floats:
        return np.array([parts[number] for _, _, parts in found]).reshape(shape)

    return Arcs(
        demand=np.array([c for c, _, _ in found], dtype=np.int64),
        pool=np.array([p for _, p, _ in found], dtype=np.int64),
        seconds=column(0),
        of_batch=column(1),
        of_memory=column(2),
        of_gap=column(3),
        able=column(4) > 0,
    )


def slack_seconds(work: Work, c: int, tier: TierSpec) -> float:
    """How long after its arrival a request may still be at work and keep its promise.

    Batch work until its deadline; interactive requests may start as late as their TTFT promise allows and
    then take the promised gap for each mean output token.
    """
    if tier.slo.deadline is not None:
        return tier.slo.deadline.total_seconds()
    reference = work.prefill_seconds.get(tier.slo.reference_vm_type)
    prefill = 0.0
    if reference is not None:
        prefill = float(_mean(reference[c], work.requests[c], whole=False).max(initial=0.0))
    tokens = float(_mean(work.iterations[c], work.requests[c], whole=True)[0])
    return tier.slo.ttft_seconds(prefill) + tokens * tier.slo.itl_seconds


def _may_serve(catalogue: FleetCatalogue, key: DemandKey, spec: PoolSpec) -> bool:
    return (
        spec.key.model == key.model
        and spec.key.vm_type in catalogue.model(key.model).engines
        and catalogue.may_serve(key.origin, spec.key.region, key.model, key.tier)
    )


def _per_request(
    catalogue: FleetCatalogue, work: Work, c: int, spec: PoolSpec, tier: TierSpec
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    law = catalogue.law(spec.key.model, spec.key.vm_type)
    whole = tier.slo.deadline is not None
    prefill, iterations, contexts = (
        _mean(total[c], work.requests[c], whole=whole)
        for total in (
            work.prefill_seconds[spec.key.vm_type],
            work.iterations,
            work.context_iterations,
        )
    )
    growth = law.decode_per_sequence * iterations + _per_context(law) * contexts
    gap = np.inf if whole else tier.slo.itl_seconds - law.decode_base
    able = (iterations <= 0) | (gap >= 0)
    return (
        prefill + growth,
        iterations / law.max_batch,
        np.minimum(iterations, contexts / law.kv_tokens),
        np.minimum(iterations, growth / max(gap, NO_GAP)),
        able.astype(np.float64),
    )


def _per_context(law: EngineLaw) -> float:
    return law.decode_per_sequence_kilotoken / 1000


def _mean(total: Floats, requests: Floats, *, whole: bool) -> Floats:
    """Per request and step; over the whole run for batch work, which may be served in any step, and
    in steps without requests, into which some may be carried."""
    overall = total.sum() / max(1e-12, requests.sum())
    if whole:
        return np.full_like(total, overall)
    own: Floats = np.where(requests > 0, total / np.maximum(requests, 1e-12), overall)
    return own
