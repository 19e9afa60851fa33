"""How full a pool may run (ρ): it grows with its size, and with how long its requests may wait.

A request finds a free slot late when all n·b* slots of a pool are taken. With slots as servers,
τ = O · ITL as service time and w = TTFT bound − P as the wait that the SLO leaves, Halfin and
Whitt's limit (Operations Research 29(3), 1981) gives P(wait > w) ≈ C(β)·exp(−β·√N·w/τ) where
C(β) = 1 ÷ (1 + β·Φ(β)/φ(β)) and N = a + β·√a (square-root staffing). The smallest β that keeps it
below 1 − attainment gives the load a that N = n·b* slots may carry, and ρ(n) = a ÷ N: it grows with
n, which is the pooling gain of a large pool. Arrivals are taken as Poisson inside a minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from heliostat.catalogue import ModelSpec
from heliostat.model.names import ModelName, Tier, VmTypeName
from planning.arrays import Floats
from planning.throughput import Throughput

MOST_USABLE = 0.95
"""No pool is planned fuller: beyond it the queue of any real engine grows within minutes."""
_BISECTIONS = 40
_LEAST_SHARE = 0.05
"""A tier with less of the load is treated as if it had this much."""
_KEPT = 4096


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
    tiers = tuple(
        (round(rate.batch, 3), round(rate.slack_over_service, 6), rate.attainment) for rate in able
    )
    tables = np.frombuffer(_usable(tiers, most_replicas)).reshape(len(able), -1)
    shares = _shares_up_to(able, loads or {})[:, None]
    lowest: Floats = np.minimum((tables / shares).min(axis=0), MOST_USABLE)
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
def _usable(tiers: tuple[tuple[float, float, float], ...], most: int) -> bytes:
    """ρ(n) of tiers, a row each, of (batch, slack over service, attainment): one bisection for all."""
    batch, slack, attainment = (np.array(column)[:, None] for column in zip(*tiers, strict=True))
    slots = batch * np.maximum(1, np.arange(most + 1))
    low, high = np.zeros_like(slots), np.full_like(slots, 8.0)
    for _ in range(_BISECTIONS):
        beta = (low + high) / 2
        late = _late(beta, slots, slack) > 1 - attainment
        low, high = np.where(late, beta, low), np.where(late, high, beta)
    root = (-high + np.sqrt(high**2 + 4 * slots)) / 2
    shares = np.minimum(MOST_USABLE, root**2 / slots)
    return np.maximum.accumulate(shares, axis=1).tobytes()


def _late(beta: Floats, slots: Floats, slack_over_service: Floats) -> Floats:
    """P(wait > w) in the Halfin–Whitt limit."""
    density = np.exp(-(beta**2) / 2) / np.sqrt(2 * np.pi)
    waits = 1 / (1 + beta * ndtr(beta) / density)
    late: Floats = waits * np.exp(-beta * np.sqrt(slots) * slack_over_service)
    return late
