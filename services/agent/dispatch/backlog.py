"""What the agent reports of batch requests that wait here, by due time, as plans count them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.model.fleet import BacklogGroup, BatchBacklog
from heliostat.model.instants import from_epoch, to_epoch
from heliostat.model.names import RegionName, Tier
from services.agent.dispatch.attendance import Attendance
from services.agent.dispatch.intake import NO_DEADLINE
from services.agent.journal.batch_box import BatchBox
from services.agent.journal.waiting_count import MINUTE_SECONDS
from services.agent.settings import BacklogReport

GROUPS_A_DEADLINE = 96
"""Groups are this part of the batch tier's deadline wide: a quarter of an hour of a day."""
FARTHEST = timedelta(days=365)
"""Longer deadlines are counted as this one: plans look ahead by hours, and a report names nothing that is
due much later (`services.translation.backlogs`)."""


class WaitingBatch:
    """Reads what the box holds; in any thread, without the disk.

    Counted are requests that can be placed: their gateway is there, or was a quarter of an hour ago. An
    empty box says that nothing waits only where gateways hand their batch requests over. `WHEN_USED` takes
    that as said while one is there and the box remembers any request (a day after the last one ended);
    `ALWAYS` has the operator's word for it.
    """

    def __init__(
        self,
        *,
        region: RegionName,
        catalogue: FleetCatalogue,
        box: BatchBox,
        attendance: Attendance,
        report: BacklogReport,
    ) -> None:
        self._region = region
        self._deadlines = {
            model.name: spec.slo.deadline or NO_DEADLINE
            for model in catalogue.models
            if (spec := model.tier(Tier.BATCH)) is not None
        }
        self._box = box
        self._attendance = attendance
        self._report = report

    def at(self, now: datetime, seconds: float) -> tuple[BatchBacklog, ...]:
        """A value per model that offers batch work; () = not known. `seconds` is the same instant by the
        dispatcher's clock."""
        gateways = self._attendance.lately(seconds)
        if not self._known(gateways):
            return ()
        return tuple(
            BatchBacklog(
                region=self._region,
                model=model,
                groups=groups_of(self._box.waiting_by_minute(model, gateways), now, deadline),
            )
            for model, deadline in self._deadlines.items()
        )

    def _known(self, gateways: Collection[str] | None) -> bool:
        if self._report is BacklogReport.WHEN_USED:
            return self._box.used() and (gateways is None or bool(gateways))
        return self._report is BacklogReport.ALWAYS


def groups_of(
    by_minute: Mapping[int, int], now: datetime, deadline: timedelta
) -> tuple[BacklogGroup, ...]:
    """At most `GROUPS_A_DEADLINE` + 2 groups, the earliest due first.

    A group is due when its first could be, and not before `now`. What is due later than a deadline (or
    `FARTHEST`) from now is in the last one.
    """
    width = min(deadline, FARTHEST).total_seconds() / GROUPS_A_DEADLINE
    first = math.floor(to_epoch(now) / width)
    last = first + GROUPS_A_DEADLINE + 1
    counts: Counter[int] = Counter()
    for minute, requests in by_minute.items():
        place = math.floor(minute * MINUTE_SECONDS / width)
        counts[min(max(place, first), last)] += requests
    return tuple(
        BacklogGroup(due=max(now, from_epoch(math.floor(place * width))), requests=counts[place])
        for place in sorted(counts)
    )
