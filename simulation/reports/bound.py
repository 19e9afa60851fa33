"""The least that any policy could have spent, beside what policies spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulation.experiments.intervals import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """GPU-hours of the linear bound with perfect knowledge, and of the best causal policy with an
    oracle forecast. None = not computed; `reason` then says why."""

    lp_gpu_hours: Estimate | None = None
    causal_oracle_gpu_hours: Estimate | None = None
    reason: str = ""

    def as_mapping(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "lp_gpu_hours": mapping_of(self.lp_gpu_hours),
            "causal_oracle_gpu_hours": mapping_of(self.causal_oracle_gpu_hours),
            "reason": self.reason or None,
        }


def mapping_of(found: Estimate | None) -> dict[str, float | None] | None:
    """`{mean, low, high}`; None where nothing was measured."""
    return None if found is None else found.as_mapping()
