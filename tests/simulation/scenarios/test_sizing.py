"""A scenario's level is what the planner's own θ makes of its requests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName, Tier
from planning.throughput import throughput
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.scenarios.sizing import busy_replicas, cheapest, planned_seconds
from tests.builders import NOON, a_catalogue, catalogue_mapping
from tests.simulation.requests.sources import NAN, key

ALPHA = ModelName("alpha")


def an_hour(per_minute: float, hours: int = 1) -> ArrivalRates:
    """Requests of the lengths that the catalogue assumes."""
    counts = np.full(60 * hours, per_minute)
    column = MinuteArrivals(offered=counts, input_tokens=counts * 1000, output_tokens=counts * 100)
    return ArrivalRates(start=NOON, by_demand={key(): column})


def test_busy_replicas_are_requests_per_second_over_theta() -> None:
    catalogue = a_catalogue()
    model = catalogue.model("alpha")
    spec = model.tiers[0]
    theta = throughput(model, next(iter(model.engines)), spec, model.assumed_mix(spec))
    busy = busy_replicas(catalogue, an_hour(600))
    assert busy[ALPHA][0] == pytest.approx(10 / theta.requests_per_second)
    assert busy[ModelName("beta")][0] == 0
    assert planned_seconds(catalogue)(model, spec.tier, (1000, 100)) == pytest.approx(
        1 / theta.requests_per_second
    )


def test_a_hole_counts_as_nothing_and_a_cut_off_hour_is_left_out() -> None:
    arrivals = an_hour(600, hours=2)
    holed = ArrivalRates(
        start=NOON,
        by_demand={
            demand: MinuteArrivals(
                **{
                    name: np.where(np.arange(90) < 30, NAN, getattr(column, name)[:90])
                    for name in ("offered", "input_tokens", "output_tokens")
                }
            )
            for demand, column in arrivals.by_demand.items()
        },
    )
    whole, half = (busy_replicas(a_catalogue(), a)[ALPHA] for a in (arrivals, holed))
    assert len(half) == 1
    assert half[0] == pytest.approx(whole[0] / 2)


def test_the_cheapest_request_decides_not_the_fastest_replica() -> None:
    mapping: dict[str, Any] = catalogue_mapping()
    for region in mapping["regions"]:
        region["vm_types"] = {
            "small": {"quota": 40, "on_demand": 20.0},
            "big": {"quota": 20, "on_demand": 21.0},
        }
    catalogue = a_catalogue(mapping)
    model, tier = catalogue.model("alpha"), Tier.BATCH
    assert cheapest(catalogue, model, tier, (1000, 100)).vm_type == "big"
    dear = catalogue_mapping()
    for region in dear["regions"]:
        region["vm_types"] = {
            "small": {"quota": 40, "on_demand": 20.0},
            "big": {"quota": 20, "on_demand": 2000.0},
        }
    assert cheapest(a_catalogue(dear), model, tier, (1000, 100)).vm_type == "small"


def test_a_tier_that_nobody_can_serve_is_named() -> None:
    mapping = catalogue_mapping()
    for model in mapping["models"]:
        model["tiers"]["interactive-fast"]["itl_seconds"] = 0.001
    catalogue = a_catalogue(mapping)
    with pytest.raises(InvalidInput, match=r"alpha/interactive-fast.*per token"):
        cheapest(catalogue, catalogue.model("alpha"), Tier.INTERACTIVE_FAST, (1000, 100))
