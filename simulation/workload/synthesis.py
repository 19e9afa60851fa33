"""Makes a fleet's demand out of published shapes: seeded, so that the same arguments give the same minutes.

Per region the published day stands on the region's own clock; per model the level is set so that
a given number of replicas is busy in the peak hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from heliostat.catalogue import FleetCatalogue, ModelSpec, RegionSpec
from heliostat.errors import InvalidInput
from heliostat.model.names import DemandKey, ModelName, Tier
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.columns import Floats
from simulation.workload import published
from simulation.workload.clocks import HOUR, local_hours
from simulation.workload.published import ModelShape, model_shape, region_shares
from simulation.workload.quantiles import LengthLaws, QuantileLaw, draw_sums, law_of_lengths
from simulation.workload.sizing import SecondsOf, model_replica_seconds

TierMix = Mapping[Tier, float]
"""How requests fall on the tiers, as weights; a tier that is not named gets none."""

MINUTES_PER_HOUR = 60
HOURS_PER_WEEK = 168
MINUTES_OBSERVED = 7 * 24 * 60
"""The published maximum is one of a week's minutes."""
LONGEST_DAYS = 400
MOST_BUSY = 1_000_000


def synthesise(
    catalogue: FleetCatalogue,
    *,
    start: datetime,
    days: int,
    busy_replicas: float,
    seed: int,
    mix: TierMix = published.TIER_SHARES,
    seconds_of: SecondsOf = model_replica_seconds,
    shared_bursts: bool = False,
    lengths: Mapping[ModelName, LengthLaws] | None = None,
) -> ArrivalRates:
    """Offered requests and tokens per minute for every region, model and tier of the catalogue.

    `busy_replicas` is wanted per model, summed over all regions, in the busiest hour of an average
    week, at `seconds_of` a request (see `sizing`; bursts come on top). With `shared_bursts` a model's
    bursts strike all regions in the same minute, so that their sum is as bursty as published; else
    each region and tier has its own. A model that `lengths` does not name has the published ones of
    its place. Holds no holes. Raises InvalidInput.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput("days", f"{days} is not within [1, {LONGEST_DAYS}]")
    check_level(busy_replicas)
    by_demand: dict[DemandKey, MinuteArrivals] = {}
    seeds = SeedSequence(seed).spawn(len(catalogue.models))
    split = dict(zip(catalogue.regions, region_shares(len(catalogue.regions)), strict=True))
    for index, (model, model_seed) in enumerate(zip(catalogue.models, seeds, strict=True)):
        shape = model_shape(index)
        traffic = _Traffic(
            model=model,
            shape=shape,
            laws=(lengths or {}).get(model.name) or lengths_of(shape),
            split=split,
            shares=tier_shares(model, mix),
        )
        level = busy_replicas / _busy_at_peak(traffic, start, seconds_of)
        by_demand |= _model_arrivals(
            traffic, start, days, level, model_seed, shared_bursts=shared_bursts
        )
    return ArrivalRates(start=start, by_demand=by_demand)


def check_level(busy_replicas: float) -> None:
    """Raises InvalidInput for a number of busy replicas that no fleet has."""
    if not 0 < busy_replicas <= MOST_BUSY:
        raise InvalidInput("busy_replicas", f"{busy_replicas} is out of (0, {MOST_BUSY:,}]")


def lengths_of(shape: ModelShape) -> LengthLaws:
    """The published prompt and output lengths of a model's requests."""
    levels = published.TOKEN_LEVELS
    return LengthLaws(
        prompt=law_of_lengths(levels, shape.tokens.prompt),
        output=law_of_lengths(levels, shape.tokens.output),
    )


def burst_law(shape: ModelShape, tier: Tier) -> QuantileLaw:
    """A 1-minute rate ÷ the median minute of its hour."""
    values = shape.batch_burst if tier is Tier.BATCH else shape.burst
    levels = (*published.BURST_LEVELS[:-1], 1 - 1 / MINUTES_OBSERVED)
    return QuantileLaw(levels=(0.0, *levels), values=(published.BURST_LOWEST, *values))


def hourly_shape(
    region: RegionSpec, shape: ModelShape, tier: Tier, start: datetime, hours: int
) -> Floats:
    """Rate ÷ weekday mean in each of `hours` hours from `start`, on the region's own clock."""
    local = local_hours(region, start, hours)
    if tier is Tier.BATCH:
        return np.where(local.weekend, published.WEEKEND_BATCH, 1.0)
    clock = (local.hour_of_day + published.TRACE_CLOCK_HOURS_AHEAD) % 24
    # Multiplier h is the mean of hour h, so it stands at its middle; the day closes on itself.
    multiplier = np.interp(clock, np.arange(24) + 0.5, shape.hour_multipliers, period=24)
    weekend = np.where(local.weekend, shape.weekend, 1.0)
    return np.asarray(multiplier * weekend, dtype=np.float64)


def tier_shares(model: ModelSpec, mix: TierMix = published.TIER_SHARES) -> dict[Tier, float]:
    """How a model's requests fall on the tiers that it offers. Raises InvalidInput."""
    offered = {spec.tier: mix.get(spec.tier, 0.0) for spec in model.tiers}
    total = sum(offered.values())
    if total <= 0:
        raise InvalidInput("mix", f"gives {model.name} no requests of the tiers that it offers")
    return {tier: share / total for tier, share in offered.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traffic:
    """One model's: how it looks, and the shares of its requests by region and by tier."""

    model: ModelSpec
    shape: ModelShape
    laws: LengthLaws
    split: Mapping[RegionSpec, float]
    shares: TierMix


def _model_arrivals(
    traffic: _Traffic,
    start: datetime,
    days: int,
    level: float,
    seed: SeedSequence,
    *,
    shared_bursts: bool,
) -> dict[DemandKey, MinuteArrivals]:
    """One model's arrivals at `level` requests per second (weekday mean, all regions)."""
    found: dict[DemandKey, MinuteArrivals] = {}
    seeds = iter(seed.spawn(len(traffic.split) * len(traffic.shares)))
    # Interactive tiers burst together, batch work on its own.
    of_all = dict(zip((False, True), seed.spawn(2), strict=True))
    for region, region_share in traffic.split.items():
        for tier, tier_share in traffic.shares.items():
            rng = default_rng(next(seeds))
            mean = (
                level
                * region_share
                * tier_share
                * minute_shape(region, traffic.shape, tier, start, days, rng)
            )
            key = DemandKey(origin=region.name, model=traffic.model.name, tier=tier)
            burst_rng = default_rng(of_all[tier is Tier.BATCH]) if shared_bursts else rng
            found[key] = _arrivals(mean, traffic, tier, rng, burst_rng)
    return found


def _busy_at_peak(traffic: _Traffic, start: datetime, seconds_of: SecondsOf) -> float:
    """Busy replicas in the busiest hour of the week at one request per second (weekday mean)."""
    prompt, output = traffic.laws
    busy = np.zeros(HOURS_PER_WEEK)
    seconds = {
        tier: seconds_of(traffic.model, tier, (prompt.mean, output.mean)) for tier in traffic.shares
    }
    for region, region_share in traffic.split.items():
        for tier, tier_share in traffic.shares.items():
            week = hourly_shape(region, traffic.shape, tier, start, HOURS_PER_WEEK)
            busy += region_share * tier_share * seconds[tier] * week
    return float(busy.max())


def minute_shape(
    region: RegionSpec, shape: ModelShape, tier: Tier, start: datetime, days: int, rng: Generator
) -> Floats:
    """Expected rate ÷ weekday mean, per minute: the mean shape with days and hours of their own."""
    hours = days * 24 + 2
    hourly = hourly_shape(region, shape, tier, start - HOUR, hours)
    by_day = np.repeat(_spread(rng, published.DAY_SIGMA, days + 2), 24)[:hours]
    hourly = hourly * by_day * _spread(rng, published.HOUR_SIGMA, hours)
    middles = (np.arange(hours) - 0.5) * MINUTES_PER_HOUR
    minutes = np.arange(days * 24 * MINUTES_PER_HOUR) + 0.5
    return np.asarray(np.interp(minutes, middles, hourly), dtype=np.float64)


def _spread(rng: Generator, sigma: float, size: int) -> Floats:
    """Log-normal factors with mean 1."""
    return rng.lognormal(-(sigma**2) / 2, sigma, size)


def _arrivals(
    mean_per_second: Floats,
    traffic: _Traffic,
    tier: Tier,
    rng: Generator,
    burst_rng: Generator,
) -> MinuteArrivals:
    bursts = burst_law(traffic.shape, tier)
    factor = bursts.draw(burst_rng, len(mean_per_second)) / bursts.mean
    offered = rng.poisson(mean_per_second * factor * 60).astype(np.float64)
    prompt, output = traffic.laws
    return MinuteArrivals(
        offered=offered,
        input_tokens=draw_sums(offered, prompt.mean, prompt.relative_variance, rng),
        output_tokens=draw_sums(offered, output.mean, output.relative_variance, rng),
    )


def synthesis_sentences(
    catalogue: FleetCatalogue, busy_replicas: float, mix: TierMix = published.TIER_SHARES
) -> tuple[str, ...]:
    """What a reader of synthesised demand must know about it."""
    looks = ", ".join(
        f"{model.name} like {model_shape(i).label}" for i, model in enumerate(catalogue.models)
    )
    shares = region_shares(len(catalogue.regions))
    split = ", ".join(
        f"{region.name} {share:.0%}"
        for region, share in zip(catalogue.regions, shares, strict=True)
    )
    return (
        f"All demand is synthesised from the shapes that SageServe publishes: {looks}.",
        f"Regions: {split}, each with the published day on its own clock, for every model alike: that "
        "one model of the source has four times as many requests in one region as in another is left out.",
        f"Level: {busy_replicas:g} busy replicas per model in the peak hour of an average week.",
        f"Tiers: {mix_words(mix)}; the source says only that interactive to batch is about 3 : 1.",
    )


def mix_words(mix: TierMix) -> str:
    """`interactive-fast 45%, …`."""
    total = sum(mix.values())
    return ", ".join(f"{tier} {mix.get(tier, 0.0) / total:.0%}" for tier in Tier)
