"""Which agent speaks for a region, on the wire."""

from __future__ import annotations

from heliostat.errors import InvalidInput
from heliostat.model.holding import AgentLife, RegionHold
from heliostat.model.names import RegionName
from heliostat.v1 import fleet_pb2
from services.translation.fields import (
    instant_from_wire,
    instant_to_wire,
    required,
    required_text,
)


def life_to_wire(life: AgentLife) -> fleet_pb2.AgentLife:
    """Who speaks."""
    return fleet_pb2.AgentLife(
        agent_id=life.agent_id, journal_id=life.journal_id, incarnation=life.incarnation
    )


def life_from_wire(path: str, life: fleet_pb2.AgentLife) -> AgentLife:
    """Who speaks. Raises InvalidInput."""
    if life.journal_id <= 0 or life.incarnation <= 0:
        raise InvalidInput(path, "journal_id and incarnation must be positive")
    return AgentLife(
        agent_id=required_text(f"{path}.agent_id", life.agent_id),
        journal_id=life.journal_id,
        incarnation=life.incarnation,
    )


def hold_to_wire(hold: RegionHold) -> fleet_pb2.RegionHold:
    """The holder of a region, and until when the hold lasts."""
    return fleet_pb2.RegionHold(
        region=hold.region,
        agent=life_to_wire(hold.agent),
        since=instant_to_wire(hold.since),
        until=instant_to_wire(hold.until),
    )


def hold_from_wire(path: str, hold: fleet_pb2.RegionHold) -> RegionHold:
    """Who speaks for a region. Raises InvalidInput."""
    return RegionHold(
        region=RegionName(required_text(f"{path}.region", hold.region)),
        agent=life_from_wire(required(path, hold, "agent"), hold.agent),
        since=instant_from_wire(required(path, hold, "since"), hold.since),
        until=instant_from_wire(required(path, hold, "until"), hold.until),
    )
