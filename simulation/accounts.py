"""What a run cost and achieved: billed, lent, overhead and idle GPU-hours, dollars, attainment, events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from heliostat.model.names import Tier, VmTypeName

STRICT_TTFT_SECONDS = 1.0
"""SageServe's promise for interactive-fast, whatever the prompt: few prompts can be kept to it at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """A run's figures. GPU-hours are replica-hours × GPUs of the VM type.

    Billed = from the cloud's accept to the end, in every stage, and what is owed for work that is left then;
    overhead = billed and no capacity (coming, draining, failed); lent = billed and with the spot market;
    idle = ready less the work done at the rate of a full replica, draining ones' too: on a fleet without room
    it may fall below zero. So billed = work + idle + overhead + lent + owed.

    Attainment: requests that kept their promise ÷ requests that started or were shed, and
    `…_reachable` ÷ those whose promise an idle best replica could have kept. It is None for a tier
    without requests, or where the engine does not measure which ones could.
    """

    gpu_hours_billed: float
    gpu_hours_billed_by_vm_type: Mapping[VmTypeName, float]
    """What stood, by type; types that nobody bought are 0."""
    gpu_hours_owed: float
    """The part of the billed for requests that were admitted and not completed (`simulation.owing`); the
    dollars have their part of it too."""
    gpu_hours_lent: float
    """The part of the billed that was lent, at zero credit."""
    cost_dollars: float
    scaling_overhead_gpu_hours: float
    idle_gpu_hours: float
    offered: int
    admitted: int
    completed: int
    shed: int
    retried: int
    """Attempts after the first, of requests that were shed or lost."""
    lost: int
    """Attempts that ended with their replica."""
    input_tokens: int
    output_tokens: int
    slo_attainment: Mapping[Tier, float | None]
    slo_attainment_overall: float | None
    slo_attainment_reachable: Mapping[Tier, float | None]
    slo_attainment_reachable_overall: float | None
    strict_ttft_attainment: float | None
    """Interactive-fast requests whose first token came within `STRICT_TTFT_SECONDS` ÷ those that
    started or were shed; to the 2 % of a latency bucket."""
    scale_events: Mapping[str, int]
    """Replicas bought, redeployed, released, failed, purchases refused, and what else a cloud counts."""
    evictions: int
    """Times that running batch work gave way to interactive requests."""
    preemptions: int
    """Times that running requests gave way for lack of memory."""

    def as_mapping(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)
