"""Eyes and memory together: one look per instant serves all orders of a tick, and what is written down is
seen at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from heliostat.model.names import PoolKey
from services.agent.drivers.vm.eyes import Eyes
from services.agent.drivers.vm.memory import DriverMemory, Intent, VmRecord
from services.agent.drivers.vm.survey import Patience, Survey


class Lookout:
    """Whoever acts on the cloud looks and writes through it."""

    def __init__(self, *, eyes: Eyes, memory: DriverMemory, patience: Patience) -> None:
        self._eyes = eyes
        self._memory = memory
        self._patience = patience
        self._seen: Survey | None = None

    def look(self, now: datetime) -> Survey:
        """The region as it stands. Raises Throttled, DriverUnavailable."""
        if self._seen is None or self._seen.at != now:
            self._seen = self._eyes.survey(now)
        return self._seen

    def look_again(self, now: datetime) -> Survey:
        """The same with fresh eyes."""
        self._seen = None
        return self.look(now)

    def keep(
        self,
        survey: Survey,
        intent: Intent | None,
        records: Iterable[VmRecord] = (),
        desired: Mapping[PoolKey, int] | None = None,
    ) -> Survey:
        """Write all of it in one transaction; the survey as it is with it."""
        records = tuple(records)
        self._memory.save(intent=intent, vms=records, desired=desired)
        self._seen = survey.with_records(records, self._patience)
        return self._seen
