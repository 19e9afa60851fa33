"""How far the routing tables of the gateways that are connected here are behind the newest ones.

An acknowledgement in the store does not say whether its gateway still runs: a pod of a deployment that was
rolled out would be behind for hours. So only open streams count, on the control plane that has them.
What a gateway uses is remembered for a while after its stream ended: one whose streams break sooner than it
falls behind, and that accepts nothing on any of them, would never be behind otherwise.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.clock import monotonic_seconds
from heliostat.model.names import RegionName

REMEMBERED = timedelta(hours=1)
"""How long after a gateway's last stream ended it is known which table it uses."""
MOST_REMEMBERED = 10_000
"""Gateways without a stream of which that is known; those that left first are forgotten first."""

_Place = tuple[RegionName, str]


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
class ConnectedGateway:
    """A gateway and what it made of the tables it was sent, over all its streams: its last word counts."""

    region: RegionName
    gateway: str
    uses: TableAge | None = None
    """The table accepted last. Before the first word the table sent first: what the gateway had before is
    older, so that it is behind by as much at least. None = none was sent yet."""
    refuses: bool = False
    streams: int = 0
    """How many are open: two while the end of a broken one is not noticed, or where two gateways are
    called the same."""

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

    def __init__(self, seconds: Callable[[], float] = monotonic_seconds) -> None:
        self._seconds = seconds
        self._connected: dict[_Place, ConnectedGateway] = {}
        self._gone: OrderedDict[_Place, tuple[float, ConnectedGateway]] = OrderedDict()
        """With the instant at which they left, in that order."""

    @contextmanager
    def connected(self, region: RegionName, gateway: str) -> Iterator[ConnectedGateway]:
        """A gateway while one stream of it lasts."""
        place = (region, gateway)
        found = self._connected.get(place) or self._remembered(place)
        found = found or ConnectedGateway(region=region, gateway=gateway)
        self._connected[place] = found
        found.streams += 1
        try:
            yield found
        finally:
            found.streams -= 1
            if not found.streams:
                self._gone[place] = self._seconds(), self._connected.pop(place)
                self._forget()

    def lags(self, newest: Callable[[RegionName], TableAge | None]) -> Iterable[GatewayLag]:
        """How far each is behind the newest table of its region; nothing of those that were sent none."""
        for gateway in tuple(self._connected.values()):
            latest, uses = newest(gateway.region), gateway.uses
            if latest is not None and uses is not None:
                yield GatewayLag(
                    region=gateway.region,
                    gateway=gateway.gateway,
                    plan_versions=latest.plan_version - uses.plan_version,
                    # A clock that was set back makes tables that begin before older ones.
                    behind=max(latest.valid_from - uses.valid_from, timedelta()),
                    refuses=gateway.refuses,
                )

    def _remembered(self, place: _Place) -> ConnectedGateway | None:
        self._forget()
        _, gateway = self._gone.pop(place, (0.0, None))
        return gateway

    def _forget(self) -> None:
        """Those that left too long ago, and the first of too many."""
        since = self._seconds() - REMEMBERED.total_seconds()
        while self._gone:
            left, _ = next(iter(self._gone.values()))
            if left >= since and len(self._gone) <= MOST_REMEMBERED:
                break
            self._gone.popitem(last=False)
