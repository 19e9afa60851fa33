"""How long a prefill and a decode iteration take (Aladdin, arXiv 2405.06856, the performance models)."""

from __future__ import annotations

from heliostat.model.engine import KNEE_TOKENS
from scheduling.compiled import rule


@rule
def prefill_seconds(
    floor: float, base: float, per_token: float, beyond_knee: float, tokens: float
) -> float:
    """max(c0, k1·Σ + c1), and a steeper slope beyond `KNEE_TOKENS`, where a law has one."""
    beyond = max(0.0, tokens - KNEE_TOKENS)
    return float(max(floor, base + per_token * tokens + beyond_knee * beyond))


@rule
def iteration_seconds(
    base: float, per_sequence: float, per_token: float, sequences: float, tokens: float
) -> float:
    """k2·(tokens in the batch) + c2·(sequences) + c3."""
    return float(base + per_sequence * sequences + per_token * tokens)
