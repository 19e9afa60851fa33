"""How far the routing tables that gateways use are behind the newest ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from heliostat.errors import UnknownRoutingTable
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingTable
from heliostat.ports.decisions import RoutingLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLag:
    """How far the table that a gateway uses is behind the newest one of its region."""

    region: RegionName
    gateway: str
    plan_versions: int
    behind: timedelta
    """From when the one was made to when the other was."""


def gateway_lags(routing: RoutingLedger) -> Iterable[GatewayLag]:
    """How far the table that each gateway uses is behind the newest one; without gateways that refused
    theirs, or whose table retention dropped."""
    newest = {table.origin: table for table in routing.latest_tables()}
    known: dict[tuple[RegionName, str], RoutingTable | None] = {
        (table.origin, table.version): table for table in newest.values()
    }
    for ack in routing.routing_acks():
        used = (ack.origin, ack.version)
        if not ack.accepted or ack.origin not in newest:
            continue
        if used not in known:  # a thousand gateways use the same few
            known[used] = _table(routing, *used)
        table, latest = known[used], newest[ack.origin]
        if table is not None:
            yield GatewayLag(
                region=ack.origin,
                gateway=ack.gateway_id,
                plan_versions=latest.plan_version - table.plan_version,
                behind=latest.valid_from - table.valid_from,
            )


def _table(routing: RoutingLedger, origin: RegionName, version: str) -> RoutingTable | None:
    """None where retention dropped it."""
    try:
        return routing.table(origin, version)
    except UnknownRoutingTable:
        return None
