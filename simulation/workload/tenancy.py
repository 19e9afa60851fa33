"""Assigns each series of a trace to a home region and a model of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import ModelName, RegionName, Tier
from simulation.workload.published import region_shares
from simulation.workload.series import LoadSeries

Cell = tuple[RegionName, ModelName]


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """The series of every region and model, and what weight they have there.

    `tiers` is filled where series are named after their demand: then they are at home by name, tier
    by tier, on their region's own clock, and `series` is not looked at.
    """

    series: dict[Cell, list[LoadSeries]]
    weights: dict[RegionName, float]
    sentence: str
    tiers: dict[Cell, dict[Tier, list[LoadSeries]]] = field(default_factory=dict)


def assign_homes(series: Sequence[LoadSeries], catalogue: FleetCatalogue) -> Homes:
    """The series of every region and model, with the sentence that says how they got there.

    Series named `region/model/tier` after the catalogue's stay where they say, when they leave no
    region and model out. Enough series for every region and model: each is a tenant that stays
    whole, since its bursts are its own, and goes where most of the cell's share is still open.
    Otherwise every region follows the same series on its own clock, and models take turns.
    """
    cells = [
        (region.name, model.name) for region in catalogue.regions for model in catalogue.models
    ]
    named = _by_name(series, catalogue, cells)
    if named:
        return Homes(
            series={cell: [] for cell in cells},
            weights=dict.fromkeys(_shares(catalogue), 1.0),
            sentence="Each series names its region, model and tier and is used there, on its own clock.",
            tiers=named,
        )
    if len(series) >= len(cells):
        return _tenants(series, catalogue, cells)
    turns = {model.name: series[i % len(series)] for i, model in enumerate(catalogue.models)}
    shares = _shares(catalogue)
    if len(series) == 1:
        said = "The trace is one series: every model in every region follows it"
    else:
        takes = ", ".join(f"{model} ← {one.series_id}" for model, one in turns.items())
        said = f"The trace has {len(series)} series, too few for {len(cells)} homes: {takes}"
    split = ", ".join(f"{region} {share:.0%}" for region, share in shares.items())
    return Homes(
        series={(region, model): [turns[model]] for region, model in cells},
        weights=shares,
        sentence=f"{said}, split over the regions as SageServe publishes ({split}).",
    )


def _by_name(
    series: Sequence[LoadSeries], catalogue: FleetCatalogue, cells: list[Cell]
) -> dict[Cell, dict[Tier, list[LoadSeries]]]:
    """The series by region, model and tier; {} when one has another name or a cell has none."""
    places = {
        f"{region}/{model}/{spec.tier}": ((region, model), spec.tier)
        for region, model in cells
        for spec in catalogue.model(model).tiers
    }
    found: dict[Cell, dict[Tier, list[LoadSeries]]] = {}
    for one in series:
        if one.series_id not in places or one.start is None:
            return {}
        cell, tier = places[one.series_id]
        found.setdefault(cell, {}).setdefault(tier, []).append(one)
    return found if len(found) == len(cells) else {}


def _shares(catalogue: FleetCatalogue) -> dict[RegionName, float]:
    names = [region.name for region in catalogue.regions]
    return dict(zip(names, region_shares(len(names)), strict=True))


def _tenants(series: Sequence[LoadSeries], catalogue: FleetCatalogue, cells: list[Cell]) -> Homes:
    largest = sorted(series, key=lambda one: (-_volume(one), one.series_id))
    total = sum(map(_volume, largest)) or 1.0
    shares = _shares(catalogue)
    open_share = {cell: shares[cell[0]] / len(catalogue.models) for cell in cells}
    homes: dict[Cell, list[LoadSeries]] = {cell: [] for cell in cells}
    for tenant in largest:
        empty = [cell for cell in cells if not homes[cell]]
        home = max(empty or cells, key=lambda cell: open_share[cell])
        homes[home].append(tenant)
        open_share[home] -= _volume(tenant) / total
    counts = ", ".join(
        f"{name} {sum(len(tenants) for (region, _), tenants in homes.items() if region == name)}"
        for name in shares
    )
    return Homes(
        series=homes,
        weights=dict.fromkeys(shares, 1.0),
        sentence=(
            f"The trace has {len(series)} tenants: each was assigned to one home region and one model, "
            f"largest first ({counts}), on that region's clock."
        ),
    )


def _volume(series: LoadSeries) -> float:
    return float(np.nansum(series.volume))
