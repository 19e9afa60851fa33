"""Turns the usage history of a control plane into arrivals that can be replayed.

Demand is what was offered less retries, by minute where minutes are kept and by quarter of an hour
before that. Tokens are the mean per request of the same stretch, so that requests that were shed
count with the length of those that were served. What nobody reported stays a hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import HeliostatError, InvalidInput
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey
from heliostat.model.usage import WINDOW
from heliostat.ports.history import UsageHistory
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.columns import Floats
from simulation.experiments.past_reading import Chunk, chunks_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was found: arrivals by minute, whose first part may be sums of quarters spread evenly."""

    arrivals: ArrivalRates
    minutes_from: datetime
    """Minutes are known from here on."""
    left_out: int
    """Requests for what the catalogue does not offer."""


def past_arrivals(usage: UsageHistory, catalogue: FleetCatalogue, whole: Span) -> Past:
    """The arrivals of a span of whole quarters of an hour.

    Raises InvalidInput when nothing that the catalogue offers was asked for in it.
    """
    chunks = list(chunks_of(usage, whole))
    keys = sorted({key for chunk in chunks for key in chunk.sums})
    offered_here = [key for key in keys if _offers(catalogue, key)]
    if not offered_here:
        raise InvalidInput("history", f"holds no requests for this catalogue in {_told(whole)}")
    typical = {key: _typical(catalogue, chunks, key) for key in offered_here}
    left_out = sum(
        total.net
        for chunk in chunks
        for key, totals in chunk.sums.items()
        if key not in typical
        for total in totals.values()
    )
    fine = [chunk.span.start for chunk in chunks if chunk.step == WINDOW]
    return Past(
        arrivals=ArrivalRates(
            start=whole.start,
            by_demand={key: _joined(chunks, key, lengths) for key, lengths in typical.items()},
        ),
        minutes_from=min(fine, default=whole.end),
        left_out=left_out,
    )


def _offers(catalogue: FleetCatalogue, key: DemandKey) -> bool:
    try:
        catalogue.region(key.origin)
        return catalogue.model(key.model).tier(key.tier) is not None
    except HeliostatError:
        return False


def _typical(
    catalogue: FleetCatalogue, chunks: Sequence[Chunk], key: DemandKey
) -> tuple[float, float]:
    """Mean prompt and output tokens where they were measured; else what the catalogue assumes."""
    spec = catalogue.model(key.model).tier(key.tier)
    assert spec is not None, "only what is offered is looked at"
    totals = [t for c in chunks for t in c.sums.get(key, {}).values() if t.measured]
    offered, completed = sum(t.offered for t in totals), sum(t.completed for t in totals)
    prompt, output = sum(t.input_tokens for t in totals), sum(t.output_tokens for t in totals)
    return (
        prompt / offered if offered else spec.assumed_input_tokens,
        output / completed if completed else spec.assumed_output_tokens,
    )


def _joined(
    chunks: Sequence[Chunk], key: DemandKey, typical: tuple[float, float]
) -> MinuteArrivals:
    """The chunks in order of time, steps spread evenly over their minutes."""
    parts = [_columns(chunk, key, typical) for chunk in reversed(chunks)]
    offered, prompt, output = (np.concatenate(column) for column in zip(*parts, strict=True))
    return MinuteArrivals(offered=offered, input_tokens=prompt, output_tokens=output)


def _columns(
    chunk: Chunk, key: DemandKey, typical: tuple[float, float]
) -> tuple[Floats, Floats, Floats]:
    steps, minutes = chunk.span.length // chunk.step, chunk.step // WINDOW
    sums = np.zeros((3, steps))
    for place, total in chunk.sums.get(key, {}).items():
        whole = total.measured and total.offered and total.completed
        prompt = total.input_tokens / total.offered if whole else typical[0]
        output = total.output_tokens / total.completed if whole else typical[1]
        sums[:, place] = total.net, round(total.net * prompt), round(total.net * output)
    if key.origin in chunk.known:
        sums[:, ~chunk.known[key.origin]] = np.nan
    else:
        sums[:] = np.nan
    offered, prompts, outputs = (_spread(row, minutes) for row in sums)
    return offered, prompts, outputs


def _spread(sums: Floats, minutes: int) -> Floats:
    """Whole numbers per minute that add up to the sums."""
    marks = np.floor(sums[:, None] * np.arange(minutes + 1) / minutes + 1e-9)
    spread: Floats = np.diff(marks, axis=1).ravel()
    return spread


def _told(span: Span) -> str:
    return f"{span.start:%Y-%m-%dT%H:%MZ} to {span.end:%Y-%m-%dT%H:%MZ}"
