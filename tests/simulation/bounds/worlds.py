"""Small fleets and demands whose bounds can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, Tier
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.bounds.goodput import EACH_PROMPT_ALONE
from simulation.bounds.work import Work, work_of_rates
from simulation.requests.columns import RequestColumns
from tests.builders import MINUTE, NOON, QUARTER, a_demand, catalogue_mapping

PROMPT, OUTPUT = 1000, 100


def a_small_catalogue(**pools: int) -> FleetCatalogue:
    """Two regions, one model on one VM type of eight GPUs; `pools` replace the limits of pools."""
    mapping = catalogue_mapping()
    mapping["models"] = mapping["models"][:1]
    mapping["models"][0]["engines"].pop("big")
    for tier in mapping["models"][0]["tiers"].values():
        if tier.get("reference_vm_type"):
            tier["reference_vm_type"] = "small"
    mapping["vm_types"] = mapping["vm_types"][:1]
    for region in mapping["regions"]:
        region["vm_types"] = {"small": dict(region["vm_types"]["small"])}
    mapping["pools"] |= pools
    return parse_catalogue(mapping)


def steps_of_requests(
    requests: Mapping[DemandKey, Sequence[float]],
    *,
    start: datetime = NOON,
    prompt: int = PROMPT,
    output: int = OUTPUT,
) -> ArrivalRates:
    """So many requests in each quarter of an hour, evenly over its minutes."""
    return ArrivalRates(
        start=start,
        by_demand={key: _column(counts, prompt, output) for key, counts in requests.items()},
    )


def _column(counts: Sequence[float], prompt: int, output: int) -> MinuteArrivals:
    offered = np.rint(np.repeat(np.asarray(counts, dtype=np.float64), 15) / 15)
    return MinuteArrivals(
        offered=offered, input_tokens=offered * prompt, output_tokens=offered * output
    )


def work_of(catalogue: FleetCatalogue, arrivals: ArrivalRates, step: timedelta = QUARTER) -> Work:
    return work_of_rates(catalogue, arrivals, arrivals.span, step, EACH_PROMPT_ALONE)


class ListedRequests:
    """A `RequestSource` of requests that are alike, at these seconds after noon."""

    def __init__(
        self,
        seconds: Sequence[float],
        *,
        minutes: int,
        tier: Tier = Tier.INTERACTIVE_NORMAL,
        prompt: int = PROMPT,
        output: int = OUTPUT,
    ) -> None:
        self.start = NOON
        self.span = Span(NOON, NOON + MINUTE * minutes)
        self.demands = (a_demand(tier=tier),)
        count = len(seconds)
        self._columns = RequestColumns(
            arrival_seconds=np.sort(np.asarray(seconds, dtype=np.float64)),
            demand=np.zeros(count, np.int16),
            input_tokens=np.full(count, prompt, np.int32),
            output_tokens=np.full(count, output, np.int32),
        )

    def between(self, begin: datetime, end: datetime) -> RequestColumns:
        return self._columns.between((begin - NOON).total_seconds(), (end - NOON).total_seconds())

    def history(self) -> ArrivalRates:
        return ArrivalRates(start=NOON, by_demand={})

    def known(self, origin: Any, minute: datetime) -> bool:
        return True
