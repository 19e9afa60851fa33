"""Firm deadlines: earliest first while the promise can be kept; late requests go behind all others.

A moment of overload makes everybody late under any order that serves the latest first. Here it costs
those who came too many, and who comes after it finds the queue open (expired requests last: Haritsa,
Carey and Livny, RTSS 1990, firm deadlines).
"""

from __future__ import annotations

from simulation.event.compiled import order_key

TOO_LATE = 3600.0
"""Seconds by which a missed interactive deadline moves: behind every interactive promise that can be
kept, before batch work that has hours."""


@order_key
def firm(
    joined: float,
    promise: float,
    tier: int,
    prompt_tokens: int,
    expected_seconds: float,
    now: float,
    a: float,
    b: float,
) -> float:
    """When its first token is due; later once less than the share `a` of its promise is left."""
    due = joined + promise
    return due + TOO_LATE if now > due - a * promise else due
