"""A routing ledger that also counts what gateways said; the store keeps only their newest word."""

from __future__ import annotations

from threading import Lock

from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingAck, RoutingTable
from heliostat.ports.decisions import RoutingLedger


class CountingRouting:
    """Implements `heliostat.ports.decisions.RoutingLedger` by handing on; a word twice counts once."""

    def __init__(self, ledger: RoutingLedger) -> None:
        self._ledger = ledger
        self._words: dict[tuple[RegionName, str, str], bool] = {}
        self._lock = Lock()

    @property
    def acks(self) -> int:
        """Tables accepted so far."""
        with self._lock:
            return sum(self._words.values())

    @property
    def nacks(self) -> int:
        """Tables rejected so far."""
        with self._lock:
            return len(self._words) - sum(self._words.values())

    def latest_tables(self) -> tuple[RoutingTable, ...]:
        return self._ledger.latest_tables()

    def table(self, origin: RegionName, version: str = "") -> RoutingTable:
        return self._ledger.table(origin, version)

    def acknowledge_table(self, ack: RoutingAck) -> None:
        self._ledger.acknowledge_table(ack)
        with self._lock:
            self._words[ack.origin, ack.gateway_id, ack.version] = ack.accepted

    def routing_acks(self, origin: RegionName | None = None) -> tuple[RoutingAck, ...]:
        return self._ledger.routing_acks(origin)
