"""One model's requests and tokens per minute in every region, drawn round the means of a fitted trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng

from heliostat.catalogue import FleetCatalogue, ModelSpec, RegionSpec
from heliostat.errors import InvalidTrace
from heliostat.model.instants import to_epoch
from heliostat.model.names import DemandKey, ModelName, Tier
from simulation.arrivals import MinuteArrivals
from simulation.columns import Floats
from simulation.workload import sentences
from simulation.workload.cells import CellLoad, cell_load, silence
from simulation.workload.clocks import offset_minutes
from simulation.workload.load import LoadedTrace
from simulation.workload.published import ModelShape, model_shape
from simulation.workload.quantiles import LengthLaws, draw_sums
from simulation.workload.series import LoadSeries
from simulation.workload.stretch import DAY, Stretch
from simulation.workload.synthesis import TierMix, minute_shape, tier_shares
from simulation.workload.tenancy import Homes
from simulation.workload.wanted import WantedDemand

Loads = Mapping[Tier, CellLoad]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittingFrame:
    """What is the same for all models: the trace, cut and laid out over the catalogue's regions."""

    trace: LoadedTrace
    catalogue: FleetCatalogue
    series: list[LoadSeries]
    stretch: Stretch
    homes: Homes
    wanted: WantedDemand
    laws: Mapping[ModelName, LengthLaws]
    source_offset_minutes: int

    @property
    def start(self) -> datetime:
        return self.wanted.start


def model_demand(
    frame: FittingFrame, index: int, seed: SeedSequence
) -> tuple[dict[DemandKey, MinuteArrivals], float]:
    """One model's demand in every region, and by what its part of the trace was multiplied.

    `index` is the model's place in the catalogue. Raises InvalidTrace when the trace holds no load
    for it.
    """
    model, shape = frame.catalogue.models[index], model_shape(index)
    rngs = {
        region: default_rng(child)
        for region, child in zip(
            frame.catalogue.regions, seed.spawn(len(frame.catalogue.regions)), strict=True
        )
    }
    shares = _shares(frame, model)
    loads = {region: _loads(frame, region, model, shares, rng) for region, rng in rngs.items()}
    expected = {
        (region, tier): _expected(frame, region, shape, tier, share, load[tier], rngs[region])
        for region, load in loads.items()
        for tier, share in shares.items()
    }
    scale = frame.wanted.busy_replicas / _busy_at_peak(frame, model, loads, expected)
    arrivals = {
        DemandKey(origin=region.name, model=model.name, tier=tier): _draw(
            mean * scale, loads[region][tier], frame.laws[model.name], rngs[region]
        )
        for (region, tier), mean in expected.items()
    }
    return arrivals, scale


def _shares(frame: FittingFrame, model: ModelSpec) -> TierMix:
    """Which share of a region's series falls on each tier: all of it where tiers have their own."""
    if frame.homes.tiers:
        return dict.fromkeys((spec.tier for spec in model.tiers), 1.0)
    return tier_shares(model, frame.wanted.mix)


def _loads(
    frame: FittingFrame, region: RegionSpec, model: ModelSpec, shares: TierMix, rng: Generator
) -> Loads:
    """The load of each tier in one region: its own series, or the same for all tiers."""
    home = (region.name, model.name)
    ahead = offset_minutes(region, frame.start)

    def load(tenants: Sequence[LoadSeries], source_offset_minutes: int) -> CellLoad:
        return cell_load(
            tenants,
            frame.stretch,
            local_minute=to_epoch(frame.start) // 60 + ahead,
            source_offset_minutes=source_offset_minutes,
            mix=sentences.mean_mix(frame.series, model),
            rng=rng,
        )

    if not frame.homes.tiers:
        return dict.fromkeys(shares, load(frame.homes.series[home], frame.source_offset_minutes))
    own = frame.homes.tiers[home]
    # Series that are at home were recorded on their region's own clock.
    return {
        tier: load(own[tier], ahead) if tier in own else silence(frame.stretch.wanted)
        for tier in shares
    }


def _expected(
    frame: FittingFrame,
    region: RegionSpec,
    shape: ModelShape,
    tier: Tier,
    share: float,
    load: CellLoad,
    rng: Generator,
) -> Floats:
    """Expected requests per minute of one tier, before scaling."""
    mean = load.requests * share * frame.homes.weights[region.name]
    if frame.stretch.period:
        return mean
    return mean * minute_shape(region, shape, tier, frame.start, frame.wanted.all_days, rng)


def _busy_at_peak(
    frame: FittingFrame,
    model: ModelSpec,
    loads: Mapping[RegionSpec, Loads],
    expected: dict[tuple[RegionSpec, Tier], Floats],
) -> float:
    """Busy replicas in the busiest hour of all regions together, before scaling."""
    first = frame.wanted.history_days * DAY if frame.wanted.level_of_run else 0
    # Tiers that share a region's load count it once.
    each = {id(load): load for by_tier in loads.values() for load in by_tier.values()}.values()
    requests, prompt, output = (
        sum(float(np.nansum(getattr(load, measure)[first:])) for load in each)
        for measure in ("requests", "input_tokens", "output_tokens")
    )
    lengths = (prompt / max(requests, 1e-12), output / max(requests, 1e-12))
    busy = np.zeros(frame.stretch.wanted - first)
    for (_, tier), mean in expected.items():
        seconds = frame.wanted.seconds_of(model, tier, lengths)
        busy += np.nan_to_num(mean[first:]) / 60 * seconds
    peak = float(busy.reshape(-1, 60).mean(axis=1).max())
    if peak <= 0:
        raise InvalidTrace(
            str(frame.trace.path), f"has no load for {model.name}", kept=frame.trace.kept
        )
    return peak


def _draw(mean: Floats, load: CellLoad, laws: LengthLaws, rng: Generator) -> MinuteArrivals:
    """Counts round their means; lengths round the minute's own mean, spread as the model's law says."""
    holes = np.isnan(mean)
    offered = np.where(holes, np.nan, rng.poisson(np.nan_to_num(mean)))
    requests = np.where(load.requests > 0, load.requests, np.nan)
    tokens = [
        draw_sums(
            offered,
            _filled(column / requests),
            law.relative_variance,
            rng,
        )
        for column, law in zip((load.input_tokens, load.output_tokens), laws, strict=True)
    ]
    return MinuteArrivals(offered=offered, input_tokens=tokens[0], output_tokens=tokens[1])


def _filled(mean_tokens: Floats) -> Floats:
    """Mean lengths with the overall mean where a minute had no request to measure."""
    known = mean_tokens[~np.isnan(mean_tokens)]
    return np.where(np.isnan(mean_tokens), known.mean() if known.size else 1.0, mean_tokens)
