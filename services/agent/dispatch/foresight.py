"""Expected and measured times to the first token, from gateways' reports."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.model.dispatch import Completion
from services.agent.dispatch.ledger import Lease


@dataclass(slots=True)
class Foresight:
    """Sums over requests of which both are known; seconds from the arrival to the first token."""

    requests: int = 0
    expected_seconds: float = 0.0
    measured_seconds: float = 0.0
    missed_by_seconds: float = 0.0
    """Σ |measured − expected|."""

    def heard(self, lease: Lease, completion: Completion) -> None:
        """A request ended; one of which either is missing says nothing."""
        expected, measured = lease.expected_ttft_seconds, completion.ttft_seconds
        if expected is None or measured is None:
            return
        self.requests += 1
        self.expected_seconds += expected
        self.measured_seconds += measured
        self.missed_by_seconds += abs(measured - expected)
