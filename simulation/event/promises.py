"""What a request was promised until its first token."""

from __future__ import annotations

from typing import Any

from heliostat.model.engine import KNEE_TOKENS
from simulation.event.compiled import kernel


@kernel
def promise_of(demand: Any, tokens: int) -> float:
    """Seconds to the first token of a prompt of that length (`heliostat.catalogue.Slo`)."""
    unloaded = demand.reference_base + demand.reference_token * tokens
    unloaded += demand.reference_knee * max(0, tokens - KNEE_TOKENS)
    return float(max(demand.floor, demand.multiple * unloaded))
