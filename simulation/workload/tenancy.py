"""Who lives where: gives each series of a trace, whole, a home region and a model of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import ModelName, RegionName
from simulation.workload.published import region_shares
from simulation.workload.series import LoadSeries

Cell = tuple[RegionName, ModelName]


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """The series of every region and model, and what weight they have there."""

    series: dict[Cell, list[LoadSeries]]
    weights: dict[RegionName, float]
    sentence: str


def assign_homes(series: Sequence[LoadSeries], catalogue: FleetCatalogue) -> Homes:
    """The series of every region and model, with the sentence that says how they got there.

    Enough series for every region and model: each is a tenant that stays whole, since its bursts
    are its own, and goes where most of the cell's share is still open. Otherwise every region
    follows the same series on its own clock, and models take turns.
    """
    cells = [
        (region.name, model.name) for region in catalogue.regions for model in catalogue.models
    ]
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
            f"The trace has {len(series)} tenants: each went whole to one home region and one model, "
            f"largest first ({counts}), and lives there on that region's clock."
        ),
    )


def _volume(series: LoadSeries) -> float:
    return float(np.nansum(series.volume))
