"""How many replicas a demand keeps busy by the planner's own θ: the measure that scenarios are sized by."""

from __future__ import annotations

import numpy as np

from heliostat.catalogue import FleetCatalogue, ModelSpec
from heliostat.errors import InvalidInput
from heliostat.model.demand import TokenMix
from heliostat.model.names import ModelName, Tier
from planning.throughput import Throughput, throughput
from simulation.arrivals import ArrivalRates
from simulation.columns import Floats
from simulation.workload.sizing import Lengths, SecondsOf

HOUR_MINUTES = 60


def planned_seconds(catalogue: FleetCatalogue) -> SecondsOf:
    """Replica-seconds of a request by the planner's θ, on the VM type that serves it for the least money.

    What it gives raises InvalidInput for a tier that no VM type of the model can serve.
    """

    def seconds(model: ModelSpec, tier: Tier, lengths: Lengths) -> float:
        return 1 / cheapest(catalogue, model, tier, lengths).requests_per_second

    return seconds


def cheapest(
    catalogue: FleetCatalogue, model: ModelSpec, tier: Tier, lengths: Lengths
) -> Throughput:
    """θ on the VM type with the lowest price of a request, by the first region that sells it.

    Raises InvalidInput when the model does not offer the tier or no VM type can serve it.
    """
    spec = model.tier(tier)
    if spec is None:
        raise InvalidInput("tier", f"{model.name} does not offer {tier}")
    mix = TokenMix(model=model.name, tier=tier, input_tokens=lengths[0], output_tokens=lengths[1])
    found = [throughput(model, vm_type, spec, mix) for vm_type in model.engines]
    able = [one for one in found if one.requests_per_second > 0]
    if not able:
        raise InvalidInput(f"{model.name}/{tier}", "; ".join(one.excluded for one in found))
    return min(able, key=lambda one: _dollars(catalogue, one) / one.requests_per_second)


def busy_replicas(catalogue: FleetCatalogue, arrivals: ArrivalRates) -> dict[ModelName, Floats]:
    """Busy replicas per model and hour, all regions together; a hole counts as nothing.

    θ is that of each tier's mean lengths over the whole stretch. An hour that is cut off at the end
    is left out.
    """
    hours = arrivals.minutes // HOUR_MINUTES
    busy = {model.name: np.zeros(hours) for model in catalogue.models}
    for model in catalogue.models:
        for spec in model.tiers:
            columns = [
                column
                for demand, column in arrivals.by_demand.items()
                if (demand.model, demand.tier) == (model.name, spec.tier)
            ]
            requests = sum(float(np.nansum(column.offered)) for column in columns)
            if not requests:
                continue
            prompt, output = (
                sum(float(np.nansum(getattr(column, name))) for column in columns) / requests
                for name in ("input_tokens", "output_tokens")
            )
            theta = cheapest(catalogue, model, spec.tier, (prompt, output)).requests_per_second
            for column in columns:
                minutes = np.nan_to_num(column.offered[: hours * HOUR_MINUTES])
                busy[model.name] += minutes.reshape(hours, HOUR_MINUTES).mean(axis=1) / 60 / theta
    return busy


def _dollars(catalogue: FleetCatalogue, one: Throughput) -> float:
    offers = (
        catalogue.prices[region.name, one.vm_type].on_demand
        for region in catalogue.regions
        if (region.name, one.vm_type) in catalogue.prices
    )
    return next(offers, float("inf"))
