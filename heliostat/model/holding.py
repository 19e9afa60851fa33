"""Holds: the one agent process that may act for a region, by a lease that its calls renew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from heliostat.errors import RegionHeld
from heliostat.model.instants import check_instant
from heliostat.model.names import RegionName


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLife:
    """One life of one agent: its name, its journal's own number, and which life of that journal it is.

    `journal_id` is given once to a journal and copied with it; `incarnation` grows with each start.
    """

    agent_id: str
    journal_id: int
    incarnation: int

    def __str__(self) -> str:
        return f"{self.agent_id} (journal {self.journal_id:016x}, life {self.incarnation})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionHold:
    """The agent that speaks for a region since `since`, and that no other may replace before `until`."""

    region: RegionName
    agent: AgentLife
    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        check_instant("hold.since", self.since)
        check_instant("hold.until", self.until)


def standing(hold: RegionHold | None, now: datetime, lease: timedelta) -> RegionHold | None:
    """The hold as it counts at `now`; None = nobody holds the region.

    A hold never ends later than a lease from now: one that does was made before the clock was set
    back, and would keep every other agent out for as long as that.
    """
    if hold is None or hold.until <= now:
        return None
    return replace(hold, since=min(hold.since, now), until=min(hold.until, now + lease))


def claimed(
    before: RegionHold | None,
    region: RegionName,
    agent: AgentLife,
    now: datetime,
    lease: timedelta,
) -> RegionHold:
    """The hold once this agent spoke at `now`: renewed, or taken where nobody holds the region.

    A later life of the same journal takes over at once, since it means that the earlier one has ended
    or was started twice from one copy. Raises RegionHeld.
    """
    same = before is not None and before.agent.journal_id == agent.journal_id
    holds = standing(before, now, lease)
    if holds is not None:
        later = same and agent.incarnation >= holds.agent.incarnation
        if not later:
            raise refusal(holds, str(agent))
    since = min(before.since, now) if before is not None and same else now
    return RegionHold(region=region, agent=agent, since=since, until=now + lease)


def refusal(hold: RegionHold, claimant: str) -> RegionHeld:
    """The error that names the holder of the region and its expiry."""
    return RegionHeld(
        f"{hold.region} is held by {hold.agent} until {hold.until.isoformat()}; this is {claimant}",
        remedy="only one agent may serve a region: stop one of the two; a hold expires when its agent "
        "stops reporting",
    )
