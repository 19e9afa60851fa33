"""Says what is unknown in a series that the fleet does not know: its region, its model or its tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import ModelName, Tier
from simulation.workload.readers.whose import UNNAMED

_MEND = "fix the rows, or add one of that name to the fleet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """What is wrong with a name, and what helps."""

    why: str
    remedy: str


def stranger(series: str, catalogue: FleetCatalogue, models: Mapping[str, ModelName]) -> Stranger:
    """`models` are the names that stand for models of the fleet, their own ones among them."""
    regions = [str(region.name) for region in catalogue.regions]
    origin, model, tier = _parts(series, regions)
    if model not in models:
        known = ", ".join(sorted(str(one.name) for one in catalogue.models))
        wrong = "is not a model of the fleet and not mapped to one"
        if model == UNNAMED:
            wrong = "is used for rows without a model, and is not mapped to one"
        return Stranger(
            why=f"'{model}' {wrong}; models are {known}",
            remedy=f"map it in the scenario file, under demand: `models: {{{model}: MODEL}}`",
        )
    if origin and origin not in regions:
        return Stranger(
            why=f"'{origin}' is not a region of the fleet; regions are {', '.join(regions)}",
            remedy=_MEND,
        )
    offered = ", ".join(spec.tier for spec in catalogue.model(models[model]).tiers)
    return Stranger(why=f"'{tier}' is not a tier of {model}; its tiers are {offered}", remedy=_MEND)


def _parts(series: str, regions: list[str]) -> tuple[str, str, str]:
    """Origin, model and tier of a series; a model may hold slashes of its own."""
    origin, _, rest = series.partition("/")
    model, _, tier = rest.rpartition("/")
    if model and (origin in ("", *regions) or tier in ("", *Tier)):
        return origin, model, tier
    return "", series, ""
