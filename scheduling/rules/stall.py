"""Whether decoding requests can absorb the stall of a prefill: Aladdin, placement, constraint (c).

A request of n gaps that was promised a mean gap has `gap·n` seconds for them. Iterations take
`iteration·n`, stalls what they took so far; the rest is its slack. Below zero its promise is lost
already: then it binds nobody, or one late request would close its replica.
"""

from __future__ import annotations

from scheduling.compiled import rule


@rule
def slack_seconds(promised_gap: float, gaps: float, iteration: float, stalled: float) -> float:
    """How long a request can still be stalled, at iterations of that length."""
    return (promised_gap - iteration) * gaps - stalled


@rule
def absorbs_stall(prefill: float, slack: float) -> bool:
    """Row (c): no booked request has less slack than the prefill."""
    return prefill <= slack


@rule
def breaks(
    promised_gap: float, gaps: float, now: float, then: float, stalled: float, prefill: float
) -> bool:
    """Row (c) of one request: its promise holds at iterations of `now`, and breaks when they take
    `then` and it is stalled for the prefill."""
    holds = slack_seconds(promised_gap, gaps, now, stalled) >= 0.0
    return holds and not absorbs_stall(prefill, slack_seconds(promised_gap, gaps, then, stalled))
