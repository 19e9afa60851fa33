"""Lets one agent at a time act for a region; a change of agent is audited."""

from __future__ import annotations

from datetime import datetime, timedelta

from heliostat.model.governance import AuditRecord
from heliostat.model.holding import AgentLife, RegionHold, refusal
from heliostat.model.names import RegionName
from heliostat.ports.stores import Stores


def speak(
    stores: Stores,
    region: RegionName,
    agent: AgentLife | None,
    *,
    author: str,
    now: datetime,
    lease: timedelta,
) -> None:
    """Take or renew the agent's hold of the region. None = a caller that does not say which life it is
    (an agent of an older release, an admin): it is let in while nobody holds the region.

    Raises RegionHeld. Blocks; for the thread that writes.
    """
    if agent is None:
        holds = stores.fleet.standing_hold(region, now, lease)
        if holds is not None:
            raise refusal(holds, f"{author}, without an agent id")
        return
    before = stores.fleet.hold(region)
    after = stores.fleet.claim(region, agent, now, lease)
    if before is None or before.agent.journal_id != agent.journal_id:
        stores.audit.note(_record(before, after, author, now))


def _record(
    before: RegionHold | None, after: RegionHold, author: str, now: datetime
) -> AuditRecord:
    followed = "" if before is None else f", after {before.agent}"
    return AuditRecord(
        at=now,
        author=author,
        action="hold-region",
        subject=after.region,
        detail=f"{after.agent} holds it{followed}",
    )
