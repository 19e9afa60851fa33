"""Cover rows: needs that some pools together must be able to carry, whatever the flows say."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from heliostat.model.names import EVERYWHERE, DemandKey, ModelName, RegionName, Tier, VmTypeName
from planning.arrays import Floats
from planning.milp.instance import Cover
from planning.settings import SHORTAGE_PRICE
from planning.situation import Situation


def heliostat_covers(situation: Situation) -> tuple[Cover, ...]:
    """Every origin's own quantile where flows are pooled lower, and N − 1 where it is asked for.

    With residency and latency budgets the pools that may serve an origin must hold its own quantile
    even when the others are below theirs (Hall's condition for one origin; the flows hold it for all).
    """
    covers: list[Cover] = []
    survive = situation.settings.survive
    for model in situation.catalogue.models:
        for region in situation.catalogue.regions:
            own = _own(situation, region.name, model.name)
            if own is not None:
                covers.append(own)
            if survive > 0:
                covers += _without(situation, region.name, model.name, survive)
    return tuple(covers)


def own_share_cover(
    situation: Situation, region: RegionName, model: ModelName, share: float
) -> Cover | None:
    """SageServe's first row: a region holds `share` of its own peak over the horizon itself."""
    rates = _rates(situation, lambda key: key.origin == region and key.model == model)
    if not rates:
        return None
    need = share * _peak(rates)
    return _cover(
        situation,
        "own share",
        f"the own share of {region}/{model}",
        model,
        lambda r: r == region,
        rates,
        need,
    )


def everywhere_cover(situation: Situation, model: ModelName) -> Cover | None:
    """SageServe's second row: all regions together hold the peak of the aggregate."""
    rates = {
        DemandKey(origin=EVERYWHERE, model=model, tier=tier): rate
        for (name, tier), rate in situation.wanted.whole.items()
        if name == model
    }
    if not rates:
        return None
    return _cover(
        situation,
        "all regions",
        f"all regions of {model}",
        model,
        lambda _: True,
        rates,
        _peak(rates),
    )


def mean_throughput(
    situation: Situation, vm_type: VmTypeName, weights: dict[DemandKey, float]
) -> float:
    """Requests per second of one replica at a blend of demands (harmonic mean over those it can serve)."""
    able = {key: rate for key in weights if (rate := situation.theta(key, vm_type)) > 0}
    total = sum(weights[key] for key in able)
    if total <= 0:
        return float(np.mean(list(able.values()))) if able else 0.0
    return total / sum(weights[key] / rate for key, rate in able.items())


def _own(situation: Situation, origin: RegionName, model: ModelName) -> Cover | None:
    mine = [w for w in situation.wanted.regional if w.key.origin == origin and w.key.model == model]
    if not any((w.own > w.pooled * (1 + 1e-9)).any() for w in mine):
        return None
    rates = {w.key: w.own for w in mine}
    reach = {
        region.name
        for region in situation.catalogue.regions
        if any(situation.catalogue.may_serve(origin, region.name, model, w.key.tier) for w in mine)
    }
    need: Floats = np.sum(list(rates.values()), axis=0)
    return _cover(
        situation,
        "own quantile",
        f"the own quantile of {origin}/{model}",
        model,
        lambda r: r in reach,
        rates,
        need,
    )


def _without(
    situation: Situation, lost: RegionName, model: ModelName, share: float
) -> Iterable[Cover]:
    """N − 1: the other regions hold `share` of all interactive demand that may be served there."""
    others = [region.name for region in situation.catalogue.regions if region.name != lost]
    rates = _rates(
        situation,
        lambda key: (
            key.model == model
            and key.tier is not Tier.BATCH
            and any(situation.catalogue.may_serve(key.origin, r, model, key.tier) for r in others)
        ),
    )
    if rates and others:
        need: Floats = share * np.sum(list(rates.values()), axis=0)
        yield _cover(
            situation,
            "region loss",
            f"{model} when {lost} is lost",
            model,
            lambda r: r != lost,
            rates,
            need,
        )


def _rates(situation: Situation, which: Callable[[DemandKey], bool]) -> dict[DemandKey, Floats]:
    return {w.key: w.own for w in situation.wanted.regional if which(w.key)}


def _peak(rates: dict[DemandKey, Floats]) -> Floats:
    total: Floats = np.sum(list(rates.values()), axis=0)
    return np.full_like(total, total.max())


def _cover(
    situation: Situation,
    kind: str,
    label: str,
    model: ModelName,
    inside: Callable[[RegionName], bool],
    rates: dict[DemandKey, Floats],
    need: Floats,
) -> Cover:
    weights = {key: float(rate.mean()) for key, rate in rates.items()}
    members = [
        number
        for number, spec in enumerate(situation.pools)
        if spec.key.model == model
        and inside(spec.key.region)
        and spec.key.region != situation.problem.lost_region
    ]
    price = max(SHORTAGE_PRICE[key.tier] * situation.serving_cost(key) for key in rates)
    return Cover(
        kind=kind,
        label=label,
        pools=np.array(members, dtype=np.int64),
        weight=np.array(
            [mean_throughput(situation, situation.pools[p].key.vm_type, weights) for p in members]
        ),
        need=need,
        price=price or 1.0,
    )
