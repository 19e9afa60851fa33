"""What a region's cloud remembers of what it did: counts, what each command lost, measured lead times."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from heliostat.model.fleet import LeadTimeSample
from simulation.replica import Replica, Stage

_SAMPLES_KEPT = 1000
"""More than any agent leaves unreported: it asks once a minute."""


class RegionBooks:
    """One region's; written by its cloud, read by drivers and accounts."""

    def __init__(self) -> None:
        self.happened: Counter[str] = Counter()
        """Replicas bought, redeployed, released, lent, taken back, failed and evicted so far."""
        self.lead_times: deque[LeadTimeSample] = deque(maxlen=_SAMPLES_KEPT)
        self._gone: dict[str, Counter[Stage]] = {}

    def gone(self, command_id: str) -> Mapping[Stage, int]:
        """How many replicas a command released, or lost to failure."""
        return self._gone.get(command_id, Counter())

    def started(self, replica: Replica) -> None:
        """A replica is ready: note how long that took since it was ordered."""
        self.lead_times.append(
            LeadTimeSample(
                pool=replica.pool,
                start_kind=replica.start_kind,
                lead_time=replica.since - replica.ordered_at,
                ready_at=replica.since,
            )
        )

    def count_gone(self, replica: Replica, what: str, *, as_stage: Stage | None = None) -> None:
        """A replica is gone, for the command that acted on it last."""
        self.happened[what] += 1
        if replica.command_id:
            gone = self._gone.setdefault(replica.command_id, Counter())
            gone[as_stage or replica.stage] += 1
