"""How far the routing tables of the gateways that are connected here are behind the newest ones.

An acknowledgement in the store does not say whether its gateway still runs: a pod of a deployment that was
rolled out would be behind for hours. So only open streams count, on the control plane that has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.model.names import RegionName


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAge:
    """When a routing table was made, and after which plan."""

    plan_version: int
    valid_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLag:
    """How far the table that a gateway uses is behind the newest one of its region."""

    region: RegionName
    gateway: str
    plan_versions: int
    behind: timedelta
    """From when the one was made to when the other was."""
    refuses: bool = False
    """True when it refused the last table of which it spoke."""


@dataclass(slots=True, kw_only=True)
class GatewayStream:
    """One open stream: what its gateway made of the tables it was sent."""

    region: RegionName
    gateway: str
    uses: TableAge | None = None
    """The table accepted last. Before the first word the table sent first: what the gateway had before is
    older, so that it is behind by as much at least. None = none was sent yet."""
    refuses: bool = False

    def sent(self, table: TableAge) -> None:
        """A table is on its way."""
        self.uses = self.uses or table

    def said(self, table: TableAge, *, accepted: bool) -> None:
        """The gateway's word on that table."""
        self.refuses = not accepted
        if accepted:
            self.uses = table


class ConnectedGateways:
    """The gateways with an open stream. Entered on the event loop, read from any thread."""

    def __init__(self) -> None:
        self._streams: dict[tuple[RegionName, str], GatewayStream] = {}

    @contextmanager
    def connected(self, region: RegionName, gateway: str) -> Iterator[GatewayStream]:
        """A gateway's stream while it lasts; of two under one name the later one counts."""
        place, stream = (region, gateway), GatewayStream(region=region, gateway=gateway)
        self._streams[place] = stream
        try:
            yield stream
        finally:
            if self._streams.get(place) is stream:
                del self._streams[place]

    def lags(self, newest: Callable[[RegionName], TableAge | None]) -> Iterable[GatewayLag]:
        """How far each is behind the newest table of its region; nothing of those that were sent none."""
        for stream in tuple(self._streams.values()):
            latest, uses = newest(stream.region), stream.uses
            if latest is not None and uses is not None:
                yield GatewayLag(
                    region=stream.region,
                    gateway=stream.gateway,
                    plan_versions=latest.plan_version - uses.plan_version,
                    # A clock that was set back makes tables that begin before older ones.
                    behind=max(latest.valid_from - uses.valid_from, timedelta()),
                    refuses=stream.refuses,
                )
