"""A ledger and a forecaster that also count: what would be costly, or too late, to read back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock

from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion, Forecast
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingAck, RoutingTable
from heliostat.ports.decisions import RoutingLedger
from heliostat.ports.forecasts import Forecaster


class CountingRouting:
    """Implements `heliostat.ports.decisions.RoutingLedger` by handing on; a word twice counts once.

    The store keeps only the newest word of each gateway.
    """

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

    def acknowledge_tables(self, acks: Sequence[RoutingAck]) -> None:
        self._ledger.acknowledge_tables(acks)
        with self._lock:
            for ack in acks:
                self._words[ack.origin, ack.gateway_id, ack.version] = ack.accepted

    def routing_acks(self, origin: RegionName | None = None) -> tuple[RoutingAck, ...]:
        return self._ledger.routing_acks(origin)

    def prune(self, valid_before: datetime, heard_before: datetime) -> int:
        return self._ledger.prune(valid_before, heard_before)


class CountingForecaster:
    """Implements `heliostat.ports.forecasts.Forecaster` by handing on; `made` forecasts so far."""

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        self.made = 0

    def forecast(
        self,
        series: Sequence[DemandSeries],
        *,
        issued_at: datetime,
        horizon: timedelta,
        champions: Sequence[Champion] = (),
    ) -> tuple[Forecast, ...]:
        forecasts = self._forecaster.forecast(
            series, issued_at=issued_at, horizon=horizon, champions=champions
        )
        self.made += len(forecasts)
        return forecasts

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        return self._forecaster.select(series, issued_at=issued_at, horizon=horizon)
