"""How full a pool may run (ρ): it grows with its size, and with how long its requests may wait.

A request finds a free slot late when all n·b* slots of a pool are taken. With slots as servers,
τ = O · ITL as service time and w = TTFT bound − P as the wait that the SLO leaves, Halfin and
Whitt's limit (Operations Research 29(3), 1981) gives P(wait > w) ≈ C(β)·exp(−β·√N·w/τ) where
C(β) = 1 ÷ (1 + β·Φ(β)/φ(β)) and N = a + β·√a (square-root staffing). The smallest β that keeps it
below 1 − attainment gives the load a that N = n·b* slots may carry, and ρ(n) = a ÷ N: it grows with
n, which is the pooling gain of a large pool. Arrivals are taken as Poisson inside a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from heliostat.catalogue import ModelSpec
from heliostat.model.names import ModelName, Tier, VmTypeName
from planning.arrays import Floats
from planning.throughput import Throughput
from planning.usable_rows import MOST_USABLE, Row, UsableRows

_LEAST_SHARE = 0.05
"""A tier with less of the load is treated as if it had this much."""
_ROWS = UsableRows()


@dataclass(frozen=True, slots=True, eq=False)
class Reserve:
    """How full pools of one VM type may run that serve a model's tiers.

    `able` are the tiers that they can serve, those with the least slack over service first; `rows` name
    them for `UsableRows`. A pool that can serve no tier has ρ = `MOST_USABLE`, which nothing uses.

    `loads` are the replicas that each tier's demand keeps busy. Engines serve the more urgent tier first, so
    a tier's waits depend on the load of the tiers up to it, and ρ is the least over tiers of
    ρ_tier(n) ÷ (share of the load up to that tier). Without loads everything counts as the strictest
    tier. Never falls as n grows; ρ(0) is ρ(1).
    """

    able: tuple[Throughput, ...]
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, rates: Iterable[Throughput]) -> Reserve:
        """Of one VM type's θ by tier."""
        able = sorted(
            (rate for rate in rates if rate.requests_per_second > 0),
            key=lambda rate: rate.slack_over_service,
        )
        return cls(
            tuple(able),
            tuple(
                (round(rate.batch, 3), round(rate.slack_over_service, 6), rate.attainment)
                for rate in able
            ),
        )

    def shares(self, most_replicas: int, loads: Mapping[Tier, float] | None = None) -> Floats:
        """ρ(n) for n = 0 … `most_replicas` (shape `most_replicas + 1`)."""
        if not self.able:
            return np.full(most_replicas + 1, MOST_USABLE)
        tables = np.stack(_ROWS.of(self.rows, most_replicas))[:, : most_replicas + 1]
        shares = np.array(_shares_up_to(self.able, loads or {}))[:, None]
        lowest: Floats = np.minimum((tables / shares).min(axis=0), MOST_USABLE)
        return lowest

    def share_of(
        self, sizes: Iterable[int], loads: Mapping[Tier, float] | None = None
    ) -> dict[int, float]:
        """ρ(n) for these n alone."""
        wanted = set(sizes)
        if not self.able or not wanted:
            return dict.fromkeys(wanted, MOST_USABLE)
        tables = _ROWS.of(self.rows, max(wanted))
        pairs = list(zip(tables, _shares_up_to(self.able, loads or {}), strict=True))
        return {
            size: min(MOST_USABLE, *(float(row[size]) / share for row, share in pairs))
            for size in wanted
        }


def make_ready(reserves: Iterable[Reserve], most_replicas: int = 0) -> None:
    """Make what these will need, all at once, which takes a fraction of one after the other."""
    rows = [row for reserve in reserves for row in reserve.rows]
    _ROWS.of(rows, most_replicas)


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


def _shares_up_to(able: Sequence[Throughput], loads: Mapping[Tier, float]) -> list[float]:
    """Which share of the load is of each tier or a stricter one; 1 where no load is known."""
    up_to = list(accumulate(loads.get(rate.tier, 0.0) for rate in able))
    if up_to[-1] <= 0:
        return [1.0] * len(able)
    return [min(1.0, max(_LEAST_SHARE, busy / up_to[-1])) for busy in up_to]
