"""One region's ready replicas of one model: how many, how busy, what each serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heliostat.catalogue import ModelSpec
from heliostat.model.fleet import PoolState, Signal
from heliostat.model.names import RegionName, Tier, VmTypeName
from planning.routing.offer import Offer, Served, served_on_average
from planning.usable import tier_loads

_OLD = (Signal.STALE, Signal.MISSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView:
    """One region's ready replicas of a model.

    `usable` ≤ `ready` is how many of them may be busy within the SLO; `rates` are the requests per second
    of one of them on average, for requests as they come from an origin in a tier, 0 = no ready one can
    meet the tier's SLO. `utilisation` is None where no fresh value is known.
    """

    region: RegionName
    model: ModelSpec
    ready: int
    usable: float
    rates: Served
    utilisation: float | None
    old: bool
    """True when the pools' reports are stale or missing."""

    def served(self, origin: RegionName, tier: Tier) -> float:
        """Requests per second of one replica; where none can meet the tier's SLO, of the slowest tier
        that it can serve."""
        rate = self.rates[origin, tier]
        if rate > 0:
            return rate
        others = (self.rates[origin, spec.tier] for spec in self.model.tiers)
        return min((other for other in others if other > 0), default=1.0)


def region_view(
    offer: Offer,
    region: RegionName,
    states: Sequence[PoolState],
    usable: Mapping[VmTypeName, Mapping[int, float]],
) -> RegionView:
    """The region as it is now; `states` are those of its pools that can run the model, `usable` is ρ by
    VM type and size of a pool."""
    counts = tuple(
        (state.observation.pool.vm_type, state.observation.ready)
        for state in states
        if state.observation.ready
    )
    return RegionView(
        region=region,
        model=offer.model,
        ready=sum(count for _, count in counts),
        usable=sum(count * usable[vm_type][count] for vm_type, count in counts),
        rates=served_on_average(offer, counts),
        utilisation=_utilisation(states),
        old=any(state.signal in _OLD for state in states if state.observation.ready),
    )


def usable_by_size(
    offer: Offer, states: Sequence[PoolState], wanted: Mapping[Tier, float]
) -> dict[VmTypeName, dict[int, float]]:
    """ρ(n) by VM type and size of its pools; `states` are those of all pools that can run the model,
    `wanted` its requests per second by tier from everywhere."""
    model = offer.model
    sizes: dict[VmTypeName, list[int]] = {vm_type: [] for vm_type in model.engines}
    for state in states:
        sizes[state.observation.pool.vm_type].append(state.observation.ready)
    return {
        vm_type: offer.reserves[vm_type].share_of(
            counts, tier_loads(model, vm_type, offer.common, wanted)
        )
        for vm_type, counts in sizes.items()
    }


def _utilisation(states: Sequence[PoolState]) -> float | None:
    """Mean over ready replicas of pools that reported freshly; None when none did."""
    fresh = [
        (state.observation.ready, state.observation.utilisation)
        for state in states
        if state.observation.ready
        and state.observation.utilisation is not None
        and state.signal is Signal.FRESH
    ]
    ready = sum(count for count, _ in fresh)
    return sum(count * busy for count, busy in fresh) / ready if ready else None
