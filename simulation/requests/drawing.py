"""Draws the requests of many (demand, minute) cells at once: when inside the minute, and how long.

A cell's requests depend on its own key, count and token sums and on nothing else, so cells may be
drawn together or apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.columns import Floats
from simulation.requests.columns import RequestColumns
from simulation.requests.keys import Words, request_words
from simulation.requests.lengths import LEVELS, LengthTables

Ints = NDArray[np.int32]

MINUTE_SECONDS = 60.0
_LENGTH = np.uint64(LEVELS - 1)
_PLACES = 2.0**32
"""A request's word is split: 16 bits for its prompt, 16 for its output, 32 for its place in the minute."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """What is known of `cells` cells, each an array of that shape.

    `counts` are whole requests; `minute_start` is in seconds on the source's clock; `law` is the row
    of the length tables. `prompt_sum` and `output_sum` are the tokens that a cell's requests must add
    up to; None leaves them to the law. `longest` cuts requests of more tokens; None cuts none.
    """

    counts: NDArray[np.int64]
    keys: Words
    minute_start: Floats
    demand: NDArray[np.int16]
    law: NDArray[np.int64]
    prompt_sum: Floats | None = None
    output_sum: Floats | None = None
    longest: NDArray[np.int64] | None = None


def draw(cells: Cells, tables: LengthTables) -> RequestColumns:
    """The requests of those cells: uniform in their minute, lengths by their law.

    Uniform places given a whole count are what a Poisson stream looks like within a minute.
    """
    starts = np.cumsum(cells.counts) - cells.counts
    cell = np.repeat(np.arange(len(cells.counts)), cells.counts)
    words = request_words(cells.keys[cell], np.arange(len(cell)) - starts[cell])
    row = cells.law[cell] * LEVELS
    prompt = tables.prompt[row + (words & _LENGTH).astype(np.int64)]
    output = tables.output[row + ((words >> np.uint64(16)) & _LENGTH).astype(np.int64)]
    if cells.prompt_sum is not None:
        prompt = adding_up_to(cells.prompt_sum, prompt, cells.counts, cell)
    if cells.output_sum is not None:
        output = adding_up_to(cells.output_sum, output, cells.counts, cell)
    if cells.longest is not None:
        prompt, output = cut(prompt, output, cells.longest[cell])
    begins = cells.minute_start[cell]
    places = (words >> np.uint64(32)).astype(np.float64) * (MINUTE_SECONDS / _PLACES)
    # Far from the start a place just before the minute's end would round into the next one.
    arrival = np.minimum(begins + places, np.nextafter(begins + MINUTE_SECONDS, 0.0))
    order = _in_time(arrival)
    return RequestColumns(
        arrival_seconds=arrival[order],
        demand=cells.demand[cell[order]],
        input_tokens=prompt[order],
        output_tokens=output[order],
    )


def adding_up_to(
    sums: Floats, lengths: Ints, counts: NDArray[np.int64], cell: NDArray[np.int64]
) -> Ints:
    """The lengths stretched so that those of cell c add up to `sums[c]`, whole and at least one each.

    A sum below one token a request leaves some with none. `cell` says whose each length is, in
    order; rounding is carried from one request of a cell to the next, and never to another cell.
    """
    ends = np.cumsum(counts)
    starts = ends - counts
    until = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    before = until[starts]
    drawn = until[ends] - before
    least = sums >= counts
    open_tokens = np.where(least, sums - counts, sums)
    # A share of exactly 1 at a cell's end gives exactly its sum.
    share = (until[1:] - before[cell]) / drawn[cell]
    given = np.floor(share * open_tokens[cell] + 0.5)
    each: Floats = np.diff(given, prepend=0.0)
    first = starts[counts > 0]
    each[first] = given[first]
    whole: Ints = (each + least[cell]).astype(np.int32)
    return whole


def cut(prompt: Ints, output: Ints, longest: NDArray[np.int64]) -> tuple[Ints, Ints]:
    """Requests of at most `longest` tokens: prompts lose what is too much, outputs what is left of it."""
    shorter = np.minimum(output, longest - 1).astype(np.int32)
    return np.minimum(prompt, longest - shorter).astype(np.int32), shorter


def _in_time(arrival: Floats) -> NDArray[np.int64]:
    """Places in order of arrival; who arrives at the same instant keeps the cells' order."""
    order = np.argsort(arrival)
    ordered = arrival[order]
    # The fast sort is not stable, and which one numpy takes depends on the processor.
    if np.any(ordered[1:] == ordered[:-1]):
        order = np.argsort(arrival, kind="stable")
    return order
