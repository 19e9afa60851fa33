"""How many requests a replica serves within its SLO (θ), how full a pool may run (ρ), and where it cannot.

A replica that decodes `b` sequences and prefills in between, at λ requests per second of I input
and O output tokens, splits its time: λ·P for prefills (P = prefill time of one prompt), the rest for
decode iterations of D(b) seconds that give each sequence one token. Balance of tokens,
λ·O = b·(1 − λP) ÷ D, and Little's law give

    ITL(b) = D(b) + b·P/O        λ(b) = b ÷ (O · ITL(b)).

Both grow with b, so θ = λ(b*) at the largest batch b* that ITL SLO, KV memory and `max_batch` allow:
with D = d0 + d1·b + d2·b·context/1000, b* = (ITL SLO − d0) ÷ (d1 + d2·context/1000 + P/O).

A request finds a free slot late when all n·b* slots of a pool are taken. With slots as servers,
τ = O · ITL as service time and w = TTFT bound − P as the wait that the SLO leaves, Halfin and
Whitt's limit (Operations Research 29(3), 1981) gives P(wait > w) ≈ C(β)·exp(−β·√N·w/τ) where
C(β) = 1 ÷ (1 + β·Φ(β)/φ(β)) and N = a + β·√a (square-root staffing). The smallest β that keeps it
below 1 − attainment gives the load a that N = n·b* slots may carry, and ρ(n) = a ÷ N: it grows with
n, which is the pooling gain of a large pool. Arrivals are taken as Poisson inside a minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from heliostat.catalogue import FleetCatalogue, ModelSpec, TierSpec
from heliostat.model.demand import TokenMix
from heliostat.model.engine import EngineLaw
from heliostat.model.names import ModelName, Tier, VmTypeName

Floats = npt.NDArray[np.float64]

MOST_USABLE = 0.95
"""No pool is planned fuller: beyond it the queue of any real engine grows within minutes."""
_BISECTIONS = 40
_LEAST_SHARE = 0.05
"""A tier with less of the load is treated as if it had this much."""
_KEPT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What one replica does for one tier's mix; θ = 0 with the reason where it cannot meet the SLO."""

    model: ModelName
    vm_type: VmTypeName
    tier: Tier
    requests_per_second: float
    batch: float = 0.0
    prefill_share: float = 0.0
    """The share of its time that a replica at θ spends in prefills."""
    slack_over_service: float = 0.0
    """w ÷ τ: how long a request may wait for a slot, in service times."""
    attainment: float = 0.99
    excluded: str = ""


def throughput(model: ModelSpec, vm_type: VmTypeName, spec: TierSpec, mix: TokenMix) -> Throughput:
    """θ of one model, VM type and tier at a mix (SLO as the catalogue promises it)."""
    return _throughput(
        model.name,
        vm_type,
        spec,
        model.engines[vm_type],
        model.engines.get(spec.slo.reference_vm_type),
        max(1.0, mix.input_tokens),
        max(1.0, mix.output_tokens),
    )


@lru_cache(maxsize=_KEPT)
def _throughput(
    model: ModelName,
    vm_type: VmTypeName,
    spec: TierSpec,
    law: EngineLaw,
    reference: EngineLaw | None,
    input_tokens: float,
    output_tokens: float,
) -> Throughput:
    prefill = law.prefill_seconds(input_tokens)
    unloaded = reference.prefill_seconds(input_tokens) if reference else 0.0
    ttft = spec.slo.ttft_seconds(unloaded)
    context = input_tokens + output_tokens / 2
    per_sequence = (
        law.decode_per_sequence
        + law.decode_per_sequence_kilotoken * context / 1000
        + prefill / output_tokens
    )
    batch = min(
        (spec.slo.itl_seconds - law.decode_base) / per_sequence,
        float(law.batch_fitting(input_tokens + output_tokens)),
    )
    excluded = ""
    if prefill > ttft:
        excluded = f"an idle replica needs {prefill:.2f} s to the first token, {ttft:.2f} s allowed"
    elif batch < 1:
        alone = law.decode_base + per_sequence
        excluded = (
            f"one sequence alone needs {alone * 1000:.0f} ms per token, "
            f"{spec.slo.itl_seconds * 1000:.0f} ms allowed"
        )
    if excluded:
        return Throughput(
            model=model,
            vm_type=vm_type,
            tier=spec.tier,
            requests_per_second=0.0,
            excluded=f"{model} on {vm_type} cannot serve {spec.tier}: {excluded}",
        )
    token_gap = law.decode_base + per_sequence * batch
    rate = batch / (output_tokens * token_gap)
    return Throughput(
        model=model,
        vm_type=vm_type,
        tier=spec.tier,
        requests_per_second=rate,
        batch=batch,
        prefill_share=min(1.0, rate * prefill),
        slack_over_service=(ttft - prefill) / (output_tokens * token_gap),
        attainment=spec.slo.attainment,
    )


def throughputs(
    catalogue: FleetCatalogue, mixes: Sequence[TokenMix]
) -> dict[tuple[ModelName, VmTypeName, Tier], Throughput]:
    """θ of everything that the catalogue offers; a mix that is not given is the catalogue's."""
    given = {(mix.model, mix.tier): mix for mix in mixes}
    return {
        (model.name, vm_type, spec.tier): throughput(
            model, vm_type, spec, given.get((model.name, spec.tier)) or assumed_mix(model, spec)
        )
        for model in catalogue.models
        for spec in model.tiers
        for vm_type in model.engines
    }


def assumed_mix(model: ModelSpec, spec: TierSpec) -> TokenMix:
    """The tokens per request that the catalogue assumes."""
    return TokenMix(
        model=model.name,
        tier=spec.tier,
        input_tokens=spec.assumed_input_tokens,
        output_tokens=spec.assumed_output_tokens,
    )


def usable_shares(
    rates: Sequence[Throughput], most_replicas: int, loads: Mapping[Tier, float] | None = None
) -> Floats:
    """ρ(n) for n = 0 … `most_replicas` (shape `most_replicas + 1`).

    `loads` are the replicas that each tier's demand keeps busy. Engines serve the more urgent tier first, so
    a tier's waits depend on the load of the tiers up to it, and ρ is the least over tiers of
    ρ_tier(n) ÷ (share of the load up to that tier). Without loads everything counts as the strictest
    tier. Never falls as n grows; ρ(0) is ρ(1). A pool that can serve no tier has ρ = `MOST_USABLE`,
    which nothing uses.
    """
    able = sorted(
        (rate for rate in rates if rate.requests_per_second > 0),
        key=lambda rate: rate.slack_over_service,
    )
    if not able:
        return np.full(most_replicas + 1, MOST_USABLE)
    lowest = np.full(most_replicas + 1, MOST_USABLE)
    for rate, share in zip(able, _shares_up_to(able, loads or {}), strict=True):
        batch, slack = round(rate.batch, 3), round(rate.slack_over_service, 6)
        table = np.frombuffer(_usable(batch, slack, rate.attainment, most_replicas))
        lowest = np.minimum(lowest, table / share)
    return lowest


def tier_loads(
    model: ModelSpec,
    vm_type: VmTypeName,
    rates: Mapping[tuple[ModelName, VmTypeName, Tier], Throughput],
    wanted: Mapping[Tier, float],
) -> dict[Tier, float]:
    """Replicas of a VM type that each tier's `wanted` requests per second keep busy.

    Empty when some VM type of the model cannot serve a tier that this one can: strict work then
    gathers here and the model's mix says nothing about the pool's.
    """
    tiers = [spec.tier for spec in model.tiers]
    served = {
        other: {t for t in tiers if rates[model.name, other, t].requests_per_second > 0}
        for other in model.engines
    }
    if any(served[vm_type] - able for able in served.values()):
        return {}
    return {
        tier: wanted.get(tier, 0.0) / rates[model.name, vm_type, tier].requests_per_second
        for tier in served[vm_type]
    }


def _shares_up_to(able: Sequence[Throughput], loads: Mapping[Tier, float]) -> Floats:
    """Which share of the load is of each tier or a stricter one; 1 where no load is known."""
    busy = np.array([loads.get(rate.tier, 0.0) for rate in able])
    if busy.sum() <= 0:
        return np.ones(len(able))
    shares: Floats = np.clip(busy.cumsum() / busy.sum(), _LEAST_SHARE, 1.0)
    return shares


@lru_cache(maxsize=_KEPT)
def _usable(batch: float, slack_over_service: float, attainment: float, most: int) -> bytes:
    slots = batch * np.maximum(1, np.arange(most + 1))
    low, high = np.zeros_like(slots), np.full_like(slots, 8.0)
    for _ in range(_BISECTIONS):
        beta = (low + high) / 2
        late = _late(beta, slots, slack_over_service) > 1 - attainment
        low, high = np.where(late, beta, low), np.where(late, high, beta)
    root = (-high + np.sqrt(high**2 + 4 * slots)) / 2
    shares = np.minimum(MOST_USABLE, root**2 / slots)
    return np.maximum.accumulate(shares).tobytes()


def _late(beta: Floats, slots: Floats, slack_over_service: float) -> Floats:
    """P(wait > w) in the Halfin–Whitt limit."""
    density = np.exp(-(beta**2) / 2) / np.sqrt(2 * np.pi)
    waits = 1 / (1 + beta * ndtr(beta) / density)
    late: Floats = waits * np.exp(-beta * np.sqrt(slots) * slack_over_service)
    return late
