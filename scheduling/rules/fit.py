"""Aladdin's rows (arXiv 2405.06856, placement): may a worker take a request, and how full is it then?

(a) wait + prefill within the TTFT that is left, (b) the decode iteration with the request within its
promised gap, (d) the predicted peak of KV within a share of the memory; (c) is `rules.stall`. Each row
is one function of numbers; times come with every margin added.
"""

from __future__ import annotations

import math

from scheduling.compiled import rule

FITS, TTFT, ITL, STALL, MEMORY, BATCH, TOO_LONG = range(7)
"""Results of `scheduling.placement.scanning.judge`, except the last, which callers determine."""
ANSWERS = 7


@rule
def meets_ttft(waited: float, wait: float, prefill: float, ttft: float) -> bool:
    """Row (a). A request that has already waited beyond its TTFT promise breaks the row nowhere."""
    return waited >= ttft or waited + wait + prefill <= ttft


@rule
def meets_gap(iteration: float, gap: float) -> bool:
    """Row (b)."""
    return iteration <= gap


@rule
def fits_memory(peak_tokens: float, room_tokens: float) -> bool:
    """Row (d): all predicted ends at once, the request among them, within θ · memory."""
    return peak_tokens <= room_tokens


@rule
def rank(left: float, gap: float, idle_iteration: float, spread_beyond: float) -> float:
    """What the worker that is taken has least of: its residual where requests are packed, the residual's
    opposite where they are spread; workers on which it would be spread come before the others."""
    return -left if gap > spread_beyond * idle_iteration else left


@rule
def residual(iteration: float, gap: float, peak_tokens: float, room_tokens: float) -> float:
    """Length of the vector of what is left of gap and memory, as shares: 0 = exactly full.

    The paper packs by the smallest residual; that it is the Euclidean norm of shares is our reading.
    """
    time_left = max(0.0, 1.0 - iteration / gap)
    memory_left = max(0.0, 1.0 - peak_tokens / room_tokens)
    return math.sqrt(time_left * time_left + memory_left * memory_left)
