"""Priority first: interactive-fast, interactive-normal, batch, each in order of arrival."""

from __future__ import annotations

from simulation.event.compiled import order_key

TIER = 1e9
"""More seconds than any run has."""


@order_key
def pf(
    joined: float,
    promise: float,
    tier: int,
    prompt_tokens: int,
    expected_seconds: float,
    now: float,
    a: float,
    b: float,
) -> float:
    """Its tier, then when it came."""
    return tier * TIER + joined
