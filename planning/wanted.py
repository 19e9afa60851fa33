"""From forecasts in tokens per second to demand in requests per second, per step of the horizon.

A forecast of input tokens and one of output tokens describe the same requests. The rate is their
weighted mean at the mix of that origin's tier, each weighed by the share of a replica's time that it
takes (prefill for input, decode for output); with one of them missing the other stands alone.

Quantiles do not add. Each region keeps its own quantile (`own`) for the rows that concern it alone;
flows use rates (`pooled`) that add up to the quantile of the aggregate series: every region's
median plus the same share of its distance to its quantile. Without an aggregate forecast pooled = own;
so it is in steps in which a region has a day off that the aggregate forecast does not know of: shared
out, that would move the demand which stays away to the other regions.
Requests of several origins are added as if all had the mix of all origins together, which weighs them
by their work: tokens add up, requests of different lengths do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np

from heliostat.model.demand import TokenMix
from heliostat.model.forecast import Forecast
from heliostat.model.names import (
    EVERYWHERE,
    DemandKey,
    ModelName,
    RegionName,
    SeriesKey,
    Tier,
    TokenKind,
)
from planning.arrays import Bools, Floats, Ints
from planning.grid import Grid
from planning.settings import Aim

_MEDIAN = 0.5
TokensPerStep = tuple[Floats | None, Floats | None]
"""Of input and of output, in tokens per second."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wanted:
    """One origin's demand per step in requests per second; `source` says which forecast it is.

    `work` is what has to be done over the whole step: the median of its mean. `measured` is what came
    lately, where that is more than was forecast and raised the near steps; None elsewhere.
    """

    key: DemandKey
    own: Floats
    pooled: Floats
    work: Floats
    source: str
    measured: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WantedDemand:
    """All demand of a horizon.

    `whole` is the aggregate's own quantile per model and tier (the sum where it was not forecast), in
    requests of the mix of all origins together.
    `unusable` names series that were forecast once and do not cover the horizon now; `notes` says
    what was made do with.
    """

    regional: tuple[Wanted, ...]
    whole: dict[tuple[ModelName, Tier], Floats]
    unusable: tuple[DemandKey, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RateReader:
    """Reads requests per second out of forecasts, given mixes and prefill shares per demand."""

    forecasts: Mapping[SeriesKey, Forecast]
    mixes: Mapping[DemandKey, TokenMix]
    prefill_shares: Mapping[DemandKey, float]
    grid: Grid

    def rates(
        self, key: DemandKey, level: float, peak_share: float, *, like: DemandKey | None = None
    ) -> Floats | None:
        """Requests per second per step; None when no forecast covers the horizon.

        `peak_share` of the way from the step's mean to its peak minute, each at its quantile `level`.
        `like`: told in requests of that demand's mix instead of its own.
        """
        return self.told_like(like or key, self.tokens(key, level, peak_share))

    def told_like(self, like: DemandKey, tokens: TokensPerStep) -> Floats | None:
        """Those tokens per second as requests per second of that demand's mix."""
        mix, share = self.mixes[like], self.prefill_shares[like]
        inputs, outputs = tokens
        by_input = None if inputs is None else inputs / max(1.0, mix.input_tokens)
        by_output = None if outputs is None else outputs / max(1.0, mix.output_tokens)
        if by_input is None or by_output is None:
            return by_input if by_output is None else by_output
        rates: Floats = share * by_input + (1 - share) * by_output
        return rates

    def source(self, key: DemandKey, level: float) -> str:
        """Which forecast stands behind a demand, for reasons."""
        for kind in TokenKind:
            found = self.forecasts.get(SeriesKey(demand=key, kind=kind))
            if found is not None:
                what = "mean" if key.tier is Tier.BATCH else "peak"
                return f"{key} {what} p{found.levels[found.level_index(level)] * 100:g} by {found.method}"
        return ""

    def tokens(self, key: DemandKey, level: float, peak_share: float) -> TokensPerStep:
        """Input and output tokens per second per step, each None when no forecast reaches into the
        horizon; `peak_share` as for `rates`."""
        inputs = self._tokens(key, TokenKind.INPUT, level, peak_share)
        return inputs, self._tokens(key, TokenKind.OUTPUT, level, peak_share)

    def _tokens(
        self, key: DemandKey, kind: TokenKind, level: float, peak_share: float
    ) -> Floats | None:
        forecast = self.forecasts.get(SeriesKey(demand=key, kind=kind))
        if forecast is None:
            return None
        end = forecast.span.end
        if end <= self.grid.spans[0].start or forecast.start >= self.grid.spans[-1].end:
            return None
        place = forecast.level_index(level)
        within = _places(forecast.start, forecast.step, forecast.steps, self.grid)
        mean, peak = (np.array(one[place][: within[-1]]) for one in (forecast.mean, forecast.peak))
        row = np.maximum(0.0, mean + peak_share * (peak - mean))
        largest: Floats = np.maximum.reduceat(np.append(row, -np.inf), within)[::2]
        return largest


@lru_cache(maxsize=16)
def _places(start: datetime, step: timedelta, steps: int, grid: Grid) -> Ints:
    """First and one past the last forecast step that each step of the grid touches, (2·T,); beyond the
    forecast's ends its first or last step."""
    places: list[int] = []
    for span in grid.spans:
        first = min(max(int((span.start - start) // step), 0), steps - 1)
        last = -int((start - span.end) // step)
        places += [first, min(max(first + 1, last), steps)]
    return np.array(places)


def wanted_demand(
    reader: RateReader,
    aims: Mapping[Tier, Aim],
    keys: tuple[DemandKey, ...],
    apart: Mapping[RegionName, Bools],
) -> WantedDemand:
    """Demand of `keys` (regional) at each tier's aim. A key without any forecast has no demand.

    `apart`: steps in which a region has a day off that aggregate forecasts do not know of.
    """
    groups: dict[tuple[ModelName, Tier], list[DemandKey]] = {}
    for key in keys:
        groups.setdefault((key.model, key.tier), []).append(key)
    regional: list[Wanted] = []
    whole: dict[tuple[ModelName, Tier], Floats] = {}
    notes: list[str] = []
    for (model, tier), members in groups.items():
        level, part = aims[tier].level, aims[tier].peak_share
        tokens = {k: reader.tokens(k, level, part) for k in members}
        own = {k: r for k in members if (r := reader.told_like(k, tokens[k])) is not None}
        if not own:
            continue
        everywhere = DemandKey(origin=EVERYWHERE, model=model, tier=tier)
        total = reader.rates(everywhere, level, part)
        alike = {k: _known(reader.told_like(everywhere, tokens[k])) for k in own}
        added = np.sum(list(alike.values()), axis=0)
        alone = sorted({k.origin for k in own} & apart.keys())
        if total is None:
            notes.append(f"no aggregate forecast of {model}/{tier}: regional quantiles were added")
            total, pooled = added, own
        else:
            medians = {k: reader.rates(k, _MEDIAN, part, like=everywhere) for k in own}
            pooled = {
                k: _in_proportion(own[k], rate, alike[k])
                for k, rate in _pooled(alike, medians, total).items()
            }
            if alone:
                notes.append(
                    f"{', '.join(alone)}: a day off that the aggregate forecast of {model}/{tier} does not"
                    " know; regional quantiles were added"
                )
                off = np.any([apart[region] for region in alone], axis=0)
                total = np.where(off, added, total)
                pooled = {k: np.where(off, own[k], rate) for k, rate in pooled.items()}
        whole[model, tier] = total
        regional += [
            Wanted(
                key=k,
                own=own[k],
                pooled=pooled[k],
                work=_at_most(reader.rates(k, _MEDIAN, 0.0), pooled[k]),
                source=reader.source(k, level),
            )
            for k in own
        ]
    known = {wanted.key for wanted in regional}
    unusable = tuple(
        key
        for key in keys
        if key not in known
        and any(SeriesKey(demand=key, kind=kind) in reader.forecasts for kind in TokenKind)
    )
    return WantedDemand(
        regional=tuple(regional), whole=whole, unusable=unusable, notes=tuple(notes)
    )


def _known(rates: Floats | None) -> Floats:
    assert rates is not None, "it has a forecast, whatever its requests are told in"
    return rates


def _in_proportion(own: Floats, part: Floats, whole: Floats) -> Floats:
    """`own` × `part` ÷ `whole`, `own` where there is no whole."""
    rates: Floats = own * np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)
    return rates


def _at_most(mean: Floats | None, peak: Floats) -> Floats:
    return peak if mean is None else np.minimum(mean, peak)


def _pooled(
    own: dict[DemandKey, Floats], medians: dict[DemandKey, Floats | None], total: Floats
) -> dict[DemandKey, Floats]:
    """Rates between median and own quantile that add up to `total`; own quantiles when it is larger."""
    keys = list(own)
    high = np.stack([own[key] for key in keys])
    low = np.stack(
        [np.minimum(own[k], m) if (m := medians[k]) is not None else own[k] for k in keys]
    )
    spread = (high - low).sum(axis=0)
    part = np.divide(total - low.sum(axis=0), spread, out=np.ones_like(spread), where=spread > 0)
    rates = low + np.clip(part, 0.0, 1.0) * (high - low)
    missing = total - rates.sum(axis=0)
    scale = np.divide(
        total, rates.sum(axis=0), out=np.ones_like(total), where=rates.sum(axis=0) > 0
    )
    rates = np.where(missing > 0, rates * scale, rates)
    return dict(zip(keys, rates, strict=True))
