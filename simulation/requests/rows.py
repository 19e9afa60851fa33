"""Whose request a row of a trace is: by its names where it has them, by seeded shares where it lacks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.names import DemandKey, ModelName
from simulation.requests.keys import minute_keys
from simulation.workload.published import TIER_SHARES, region_shares
from simulation.workload.synthesis import TierMix, tier_shares

Places = NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Among which demands the rows of one model are split, by cumulated shares ending at 1."""

    places: Places
    until: NDArray[np.float64]


class RowHomes:
    """Gives every row of a trace a demand of the catalogue.

    A series named `origin/model/tier` is that demand. Any other is a model, by its own name or by
    `models`; its rows are split over the regions as SageServe publishes and over the tiers by `mix`,
    each by a hash of the seed and the row's number, so that a row's home never changes. Raises
    UnknownModel, InvalidInput when `mix` leaves a model nothing.
    """

    def __init__(
        self,
        catalogue: FleetCatalogue,
        *,
        models: Mapping[str, ModelName],
        mix: TierMix = TIER_SHARES,
        seed: int = 0,
    ) -> None:
        self.demands = catalogue_demands(catalogue)
        self._seed = np.array([seed], np.uint64)
        own: dict[str, ModelName] = {model.name: model.name for model in catalogue.models}
        modelled = own | dict(models)
        longest = longest_requests(catalogue)
        self._longest = {name: longest[catalogue.model(of).name] for name, of in modelled.items()}
        self._longest |= {str(demand): longest[demand.model] for demand in self.demands}
        self._numbers = {name: number for number, name in enumerate(self._longest)}
        self._choices = [
            _choice(catalogue, model, mix, self.demands) for model in modelled.values()
        ]
        own_places = np.arange(len(self.demands), dtype=np.int16)
        split = np.full(len(modelled), -1, np.int16)
        self._only = np.concatenate((split, own_places))
        """By the number of a series its one demand, -1 = its rows are split."""

    def complaints(self) -> Sequence[pl.Expr]:
        """What is wrong with a row that the fleet cannot take; null = nothing."""
        series = pl.col("series")
        tokens = pl.col("input_tokens") + pl.col("output_tokens")
        longest = series.replace_strict(self._longest, default=None, return_dtype=pl.Float64)
        known = ", ".join(sorted({demand.model for demand in self.demands}))
        return (
            pl.when(longest.is_null()).then(
                pl.format(
                    "'{}' is no model of the fleet and not mapped to one; models are {}",
                    series,
                    pl.lit(known),
                )
            ),
            pl.when(tokens.is_null()).then(
                pl.lit("its tokens are not measured, and a request cannot be served without them")
            ),
            pl.when(tokens > longest).then(
                pl.format(
                    "is overlong: {} tokens, no engine of its model holds {}", tokens, longest
                )
            ),
        )

    def places(self, series: pl.Series, first_row: int) -> Places:
        """The place of each row's demand in `demands`; rows are numbered from `first_row`."""
        which = series.replace_strict(self._numbers, return_dtype=pl.Int16).to_numpy()
        found: Places = self._only[which]
        for number in np.unique(which[found < 0]):
            choice, those = self._choices[number], np.flatnonzero(which == number)
            chance = minute_keys(self._seed, first_row + those) / 2.0**64
            found[those] = choice.places[np.searchsorted(choice.until, chance, side="right")]
        return found


def catalogue_demands(catalogue: FleetCatalogue) -> tuple[DemandKey, ...]:
    """Every demand that the catalogue's regions, models and tiers can have, sorted."""
    return tuple(
        sorted(
            DemandKey(origin=region.name, model=model.name, tier=spec.tier)
            for region in catalogue.regions
            for model in catalogue.models
            for spec in model.tiers
        )
    )


def longest_requests(catalogue: FleetCatalogue) -> dict[ModelName, int]:
    """Per model the most tokens, prompt and output, that any of its engines can hold."""
    return {
        model.name: max(law.kv_tokens for law in model.engines.values())
        for model in catalogue.models
    }


def _choice(
    catalogue: FleetCatalogue, model: ModelName, mix: TierMix, demands: Sequence[DemandKey]
) -> _Choice:
    shares = {
        DemandKey(origin=region.name, model=model, tier=tier): region_share * tier_share
        for region, region_share in zip(
            catalogue.regions, region_shares(len(catalogue.regions)), strict=True
        )
        for tier, tier_share in tier_shares(catalogue.model(model), mix).items()
        if tier_share > 0
    }
    if not shares:
        raise InvalidInput("mix", f"leaves nothing of {model}")
    until = np.cumsum(list(shares.values()))
    return _Choice(
        places=np.array([demands.index(demand) for demand in shares], np.int16),
        until=np.minimum(until / until[-1], 1.0),
    )
