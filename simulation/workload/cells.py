"""The load of one model in one region: its tenants' minutes, stretched, on the region's own clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from heliostat.model.instants import to_epoch
from simulation.columns import Floats
from simulation.workload.series import LoadSeries, mean_lengths, observed
from simulation.workload.stretch import (
    DAY,
    Stretch,
    as_minutes,
    hourly_blocks,
    places,
    vary_repeats,
)

Mix = tuple[float, float]
"""Prompt and output tokens of a request."""

FIRST_MONDAY = 4 * DAY
"""The minute since 1970 that a trace without a date is taken to start at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLoad:
    """Expected requests and tokens per minute, at the trace's own level; NaN = the source has a hole."""

    requests: Floats
    input_tokens: Floats
    output_tokens: Floats


def cell_load(
    tenants: Sequence[LoadSeries],
    stretch: Stretch,
    *,
    local_minute: int,
    source_offset_minutes: int,
    mix: Mix,
    rng: Generator,
) -> CellLoad:
    """The tenants' sum over the wanted minutes; a minute that one of them misses is missing.

    `local_minute` is the first wanted minute on the region's clock (since 1970),
    `source_offset_minutes` how far the trace's local clock is ahead of its stamps. `mix` stands in
    for lengths that the trace does not hold.
    """
    parts = [
        _stretched(one, stretch, local_minute - _first_minute(one, source_offset_minutes), mix, rng)
        for one in tenants
    ]
    return CellLoad(
        requests=np.sum([part.requests for part in parts], axis=0),
        input_tokens=np.sum([part.input_tokens for part in parts], axis=0),
        output_tokens=np.sum([part.output_tokens for part in parts], axis=0),
    )


def silence(minutes: int) -> CellLoad:
    """A load that was looked at and found to be nothing."""
    nothing = np.zeros(minutes)
    return CellLoad(requests=nothing, input_tokens=nothing, output_tokens=nothing)


def _first_minute(series: LoadSeries, source_offset_minutes: int) -> int:
    if series.start is None:
        return FIRST_MONDAY
    return to_epoch(series.start) // 60 + source_offset_minutes


def _stretched(
    series: LoadSeries, stretch: Stretch, ahead: int, mix: Mix, rng: Generator
) -> CellLoad:
    load = _minutes(series, mix)
    if stretch.period:
        at, uses = places(stretch, ahead)
        factor = vary_repeats(uses, rng)
    else:
        at = hourly_blocks(len(load.requests), stretch.wanted, rng)
        factor = np.ones(stretch.wanted)
    return CellLoad(
        requests=load.requests[at] * factor,
        input_tokens=load.input_tokens[at] * factor,
        output_tokens=load.output_tokens[at] * factor,
    )


def _minutes(series: LoadSeries, mix: Mix) -> CellLoad:
    """The series' minutes, with what it does not measure filled in from its mean lengths or `mix`."""
    prompt, output = (
        measured or assumed for measured, assumed in zip(mean_lengths([series]), mix, strict=True)
    )
    input_tokens = as_minutes(series.input_tokens, series.step)
    if observed(series.requests):
        requests = as_minutes(series.requests, series.step)
    else:
        requests = input_tokens / prompt
    output_tokens = as_minutes(series.output_tokens, series.step)
    return CellLoad(
        requests=requests,
        input_tokens=np.where(np.isnan(input_tokens), requests * prompt, input_tokens),
        output_tokens=np.where(np.isnan(output_tokens), requests * output, output_tokens),
    )
