"""Applies the last good routing table to one request: this region, another one, or none.

The share that a request falls into follows from its session (or its name), as in every gateway: asked
again it falls into the same one. What was forwarded once is served here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from heliostat.model.dispatch import DispatchAsk, OtherRegion, Shed, ShedReason
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RoutingTable

_ASK_AGAIN = timedelta(seconds=10)


class Routes:
    """Reads the board's table; the newest one counts at every question."""

    def __init__(self, region: RegionName, table: Callable[[], RoutingTable | None]) -> None:
        self._region = region
        self._newest = table
        self._table: RoutingTable | None = None
        self._entries: dict[tuple[ModelName, Tier], RouteEntry] = {}
        self._ingress: dict[RegionName, str] = {}

    def first_choice(self, ask: DispatchAsk, now: datetime) -> OtherRegion | Shed | None:
        """None = this region serves it, also where no table says anything."""
        entry = self._entry(ask)
        if ask.forwarded or entry is None:
            return None
        point = _point(ask)
        for share in entry.shares:
            point -= share.weight_ppm
            if point < 0:
                if share.serving == self._region:
                    return None
                reason = f"the routing table: {entry.reason or 'its share goes there'}"
                return self._to(share.serving, share.ingress_endpoint, reason, now)
        detail = f"the routing table sheds {entry.shed_ppm / 10_000:g} % of {ask.model}/{ask.tier}"
        return Shed(reason=ShedReason.ROUTED, detail=detail, retry_after=_ASK_AGAIN)

    def fallbacks(self, ask: DispatchAsk, now: datetime, reason: str) -> Iterator[OtherRegion]:
        """Other regions that the table names for it, the best first; none for what was forwarded."""
        entry = self._entry(ask)
        if ask.forwarded or entry is None:
            return
        for region in entry.fallback:
            endpoint = self._ingress.get(region, "")
            if region != self._region and endpoint:
                yield self._to(region, endpoint, reason, now)

    def _entry(self, ask: DispatchAsk) -> RouteEntry | None:
        table = self._newest()
        if table is not self._table:
            self._table = table
            entries = () if table is None else table.entries
            self._entries = {(entry.model, entry.tier): entry for entry in entries}
            self._ingress = {
                i.region: i.ingress_endpoint for i in (() if table is None else table.ingresses)
            }
            for share in (share for entry in entries for share in entry.shares):
                self._ingress.setdefault(share.serving, share.ingress_endpoint)
        return self._entries.get((ask.model, ask.tier))

    def _to(self, region: RegionName, endpoint: str, reason: str, now: datetime) -> OtherRegion:
        table = self._table
        assert table is not None  # entries come from it
        return OtherRegion(
            region=region,
            ingress_endpoint=endpoint,
            hop_header=table.hop_header,
            table_version=table.version,
            table_stale=now > table.valid_from + table.stale_after,
            reason=reason,
        )


def _point(ask: DispatchAsk) -> int:
    """Where in the million a request falls; the same in every gateway (docs/examples)."""
    name = f"{ask.model}/{ask.session or ask.request_id}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % MILLION
