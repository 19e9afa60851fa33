"""Whose request a row of a trace is: by its names where it has them, by seeded shares where it lacks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from simulation.requests.keys import minute_keys
from simulation.requests.strangers import stranger
from simulation.workload.published import TIER_SHARES, region_shares
from simulation.workload.readers.rules import Complaint
from simulation.workload.synthesis import TierMix, tier_shares

Places = NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """Among which demands the rows of one model are split, by cumulated shares ending at 1."""

    places: Places
    until: NDArray[np.float64]

    @property
    def is_certain(self) -> bool:
        """There is one only."""
        return len(self.places) == 1


class RowHomes:
    """Gives every row of a trace a demand of the catalogue.

    A series named `origin/model/tier` is that demand; any other is a model. Models go by their own
    names or by `models`. Rows that lack origin or tier are split over the regions as SageServe
    publishes and over the tiers by `mix`, each by a hash of the seed and the row's number, so that a
    row's home never changes. Raises UnknownModel, InvalidInput when `mix` leaves a model nothing.
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
        self._catalogue = catalogue
        self._seed = np.array([seed], np.uint64)
        own: dict[str, ModelName] = {model.name: model.name for model in catalogue.models}
        self._models = own | dict(models)
        named = _named(catalogue, self._models)
        longest = longest_requests(catalogue)
        self._longest = {name: longest[part.model] for name, part in named.items()}
        self._numbers = {name: number for number, name in enumerate(named)}
        places = {demand: place for place, demand in enumerate(self.demands)}
        self._choices = [_choice(catalogue, part, mix, places) for part in named.values()]
        only = [int(one.places[0]) if one.is_certain else -1 for one in self._choices]
        self._only = np.array(only, np.int16)
        """By the number of a series its one demand, -1 = its rows are split."""

    def complaints(self, rows: pl.DataFrame) -> Sequence[Complaint]:
        """What is wrong with rows that the fleet cannot take."""
        series = pl.col("series")
        tokens = pl.col("input_tokens") + pl.col("output_tokens")
        longest = series.replace_strict(self._longest, default=None, return_dtype=pl.Float64)
        unmeasured = pl.when(tokens.is_null()).then(
            pl.lit("its tokens are not measured; the simulator needs them")
        )
        overlong = pl.when(tokens > longest).then(
            pl.format("is overlong: {} tokens, no engine of its model holds {}", tokens, longest)
        )
        strange = self._strangers(rows["series"].drop_nulls().unique())
        return (*strange, Complaint(why=unmeasured), Complaint(why=overlong))

    def _strangers(self, names: pl.Series) -> Sequence[Complaint]:
        found = {
            name: stranger(name, self._catalogue, self._models)
            for name in names
            if name not in self._numbers
        }
        if not found:
            return ()
        words = {name: one.why for name, one in found.items()}
        why = pl.col("series").replace_strict(words, default=None, return_dtype=pl.String)
        return (Complaint(why=why, remedies={one.why: one.remedy for one in found.values()}),)

    def splits(self, series: pl.Series) -> bool:
        """Whether any of these rows lacks an origin or a tier, which is then drawn."""
        numbers = [self._numbers[name] for name in series.unique()]
        return bool((self._only[numbers] < 0).any())

    def places(self, series: pl.Series, first_row: int) -> Places:
        """The place of each row's demand in `demands`; rows are numbered from `first_row`."""
        which = series.replace_strict(self._numbers, return_dtype=pl.Int32).to_numpy()
        found: Places = self._only[which]
        for number in np.unique(which[found < 0]):
            choice, those = self._choices[number], np.flatnonzero(which == number)
            chance = minute_keys(self._seed, first_row + those) / 2.0**64
            found[those] = choice.places[np.searchsorted(choice.until, chance, side="right")]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """What the name of a series says; None = nothing of that."""

    model: ModelName
    origin: RegionName | None = None
    tier: Tier | None = None


def _named(catalogue: FleetCatalogue, models: Mapping[str, ModelName]) -> dict[str, _Named]:
    """Every name that a series of this fleet may have."""
    found = {name: _Named(model=catalogue.model(of).name) for name, of in models.items()}
    for name, of in models.items():
        for origin in (None, *(region.name for region in catalogue.regions)):
            for tier in (None, *(spec.tier for spec in catalogue.model(of).tiers)):
                named = _Named(model=of, origin=origin, tier=tier)
                found.setdefault(f"{origin or ''}/{name}/{tier or ''}", named)
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
    catalogue: FleetCatalogue, named: _Named, mix: TierMix, places: Mapping[DemandKey, int]
) -> _Choice:
    """Regions by their published shares, tiers by `mix`, as far as the name leaves them open."""
    regions = dict(
        zip(
            (region.name for region in catalogue.regions),
            region_shares(len(catalogue.regions)),
            strict=True,
        )
    )
    if named.origin:
        regions = {named.origin: 1.0}
    tiers = {named.tier: 1.0} if named.tier else tier_shares(catalogue.model(named.model), mix)
    shares = {
        DemandKey(origin=region, model=named.model, tier=tier): region_share * tier_share
        for region, region_share in regions.items()
        for tier, tier_share in tiers.items()
        if tier_share > 0
    }
    until = np.cumsum(list(shares.values()))
    return _Choice(
        places=np.array([places[demand] for demand in shares], np.int16),
        until=np.minimum(until / until[-1], 1.0),
    )
