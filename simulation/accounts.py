"""What a run cost and achieved: billed, overhead and idle GPU-hours, dollars, attainment, scale events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from heliostat.model.names import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """A run's figures. GPU-hours are replica-hours × GPUs of the VM type.

    Billed = from the cloud's accept to the end, in every stage; overhead = billed and no capacity
    (coming, draining, failed); idle = ready less the work done at the rate of a full replica. An
    attainment is None for a tier without requests; shed requests count as missed.
    """

    gpu_hours_billed: float
    gpu_hours_lent: float
    """Spot loans; nothing is lent here."""
    cost_dollars: float
    scaling_overhead_gpu_hours: float
    idle_gpu_hours: float
    offered: int
    admitted: int
    completed: int
    shed: int
    input_tokens: int
    output_tokens: int
    slo_attainment: Mapping[Tier, float | None]
    slo_attainment_overall: float | None
    scale_events: Mapping[str, int]
    """Replicas bought, redeployed, released, failed; purchases refused."""

    def as_mapping(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)
