"""Small sources of requests, and how two of them are compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.requests.columns import RequestColumns, joined
from simulation.requests.from_rates import RequestsFromRates
from simulation.requests.from_trace import TraceRequests
from simulation.requests.rows import RowHomes
from simulation.requests.source import RequestSource
from simulation.requests.writing import write_requests
from simulation.workload.published import MODEL_SHAPES
from simulation.workload.quantiles import LengthLaws
from simulation.workload.synthesis import lengths_of
from tests.builders import NOON, a_catalogue

LAWS: dict[ModelName, LengthLaws] = {
    ModelName("alpha"): lengths_of(MODEL_SHAPES[0]),
    ModelName("beta"): lengths_of(MODEL_SHAPES[3]),
}
NAN = float("nan")


def key(
    origin: str = "east", model: str = "alpha", tier: Tier = Tier.INTERACTIVE_FAST
) -> DemandKey:
    return DemandKey(origin=RegionName(origin), model=ModelName(model), tier=tier)


def minutes(
    offered: Sequence[float],
    prompt: Sequence[float] | None = None,
    output: Sequence[float] | None = None,
) -> MinuteArrivals:
    """Minutes with 1,000 prompt and 100 output tokens a request unless told."""
    counts = np.array(offered, dtype=float)
    return MinuteArrivals(
        offered=counts,
        input_tokens=counts * 1000 if prompt is None else np.array(prompt, dtype=float),
        output_tokens=counts * 100 if output is None else np.array(output, dtype=float),
    )


def rates(**offered: Sequence[float]) -> ArrivalRates:
    """Minutes from NOON by `origin_model`, all of one tier."""
    by_demand = {}
    for name, row in offered.items():
        origin, model = name.split("_")
        by_demand[key(origin, model)] = minutes(row)
    return ArrivalRates(start=NOON, by_demand=by_demand)


def drawn(
    arrivals: ArrivalRates,
    *,
    begins: datetime = NOON,
    seed: int = 1,
    token_sums: bool = True,
    block_requests: int = 1000,
) -> RequestsFromRates:
    return RequestsFromRates(
        arrivals,
        begins=begins,
        lengths=LAWS,
        seed=seed,
        token_sums=token_sums,
        block_requests=block_requests,
    )


def everything(source: RequestSource, step: timedelta | None = None) -> RequestColumns:
    """All requests of a source, asked for at once or step by step."""
    span, length = source.span, step or source.span.length
    return joined([source.between(at, min(at + length, span.end)) for at in span.steps(length)])


def written(folder: Path, source: RequestSource, name: str = "built.parquet", **notes: str) -> Path:
    """The source's requests as a file of ours."""
    path = folder / name
    write_requests(source, path, notes=notes)
    return path


def traced(path: Path, **given: Any) -> TraceRequests:
    """A trace on the small catalogue of `tests.builders`."""
    return TraceRequests(path, RowHomes(a_catalogue(), models={}), **given)


def same(one: RequestColumns, other: RequestColumns) -> bool:
    return (
        np.array_equal(one.arrival_seconds, other.arrival_seconds)
        and np.array_equal(one.demand, other.demand)
        and np.array_equal(one.input_tokens, other.input_tokens)
        and np.array_equal(one.output_tokens, other.output_tokens)
    )
