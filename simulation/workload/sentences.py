"""Says what was done to a trace to make a fleet's demand out of it, one sentence per liberty taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from heliostat.catalogue import ModelSpec
from heliostat.model.names import DemandKey
from simulation.arrivals import MinuteArrivals
from simulation.workload.cells import Mix
from simulation.workload.series import LoadSeries, mean_lengths, observed
from simulation.workload.synthesis import mix_words
from simulation.workload.wanted import WantedDemand


def mean_mix(series: Sequence[LoadSeries], model: ModelSpec) -> Mix:
    """Lengths of requests where a series holds none: the trace's mean, else the catalogue's assumption."""
    prompt, output = mean_lengths(series)
    assumed = model.tiers[0]
    return prompt or assumed.assumed_input_tokens, output or assumed.assumed_output_tokens


def said_of_lengths(series: Sequence[LoadSeries]) -> list[str]:
    """Where the lengths of requests come from."""
    said: list[str] = []
    if not any(observed(one.requests) for one in series):
        said.append(
            "The trace has no request counts: they are input tokens divided by the catalogue's prompt "
            "length of each model."
        )
    for kind, mean in zip(("Input", "Output"), mean_lengths(series), strict=True):
        lacking = [one for one in series if not _holds(one, kind)]
        if not lacking:
            continue
        if mean is None and len(lacking) == len(series):
            said.append(
                f"{kind} tokens per request are the catalogue's assumptions for each model."
            )
        elif lacking:
            said.append(
                f"{len(lacking)} of {len(series)} series have no {kind.lower()} tokens: they get the "
                f"mean of the others, {mean or 0:,.0f} per request."
            )
    return said


def said_of_level(
    step: timedelta, wanted: WantedDemand, scales: Sequence[str], *, tiers_known: bool
) -> list[str]:
    """How counts were drawn, split by tier and scaled."""
    said: list[str] = []
    if step > timedelta(minutes=1):
        said.append(
            f"Bins of {step.total_seconds() / 60:g} minutes are interpolated linearly, and each minute's "
            "count is drawn around the line."
        )
    if not tiers_known:
        said.append(f"The trace has no tiers: requests are split {mix_words(wanted.mix)}.")
    said.append(
        f"Scaled so that {wanted.busy_replicas:g} replicas per model are busy in the busiest hour "
        f"({', '.join(scales)}); counts and lengths are drawn around that level."
    )
    return said


def said_of_holes(by_demand: Mapping[DemandKey, MinuteArrivals]) -> list[str]:
    """How much is missing."""
    missing = sum(int(np.isnan(arrivals.offered).sum()) for arrivals in by_demand.values())
    every = sum(len(arrivals) for arrivals in by_demand.values())
    if not missing:
        return []
    return [f"Gaps stay missing and do not count as zero: {missing / every:.1%} of all minutes."]


def _holds(series: LoadSeries, kind: str) -> bool:
    return observed(series.input_tokens if kind == "Input" else series.output_tokens)
