"""Short numbers for long names: series, sources and keys are stored once and known by number."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from threading import Lock
from typing import Generic, TypeVar

from sqlalchemy import Connection, Table, func, select, tuple_

from heliostat.model.names import (
    DemandKey,
    ModelName,
    RegionName,
    SeriesKey,
    Tier,
    TokenKind,
)
from heliostat.model.usage import UsageSeries
from storage.sql.database import Database
from storage.sql.tables import demand_keys, forecast_series, usage_series, usage_sources

_T = TypeVar("_T")
_AT_ONCE = 200
"""Names asked for in one statement; SQLite takes a limited number of parameters."""


class Interned(Generic[_T]):
    """One table of names with an `id`; numbers never change, so known ones are kept in memory."""

    def __init__(
        self,
        database: Database,
        table: Table,
        to_row: Callable[[_T], tuple[str, ...]],
        from_row: Callable[..., _T],
    ) -> None:
        self._database = database
        self._table = table
        self._columns = [column for column in table.c if column.name != "id"]
        self._to_row = to_row
        self._from_row = from_row
        self._known: dict[_T, int] = {}
        self._stored: Mapping[int, _T] = {}
        self._lock = Lock()

    def numbers(self, names: Collection[_T]) -> dict[_T, int]:
        """The number of each name; new names are stored at once, in a transaction of their own."""
        with self._lock:
            missing = [name for name in dict.fromkeys(names) if name not in self._known]
            for place in range(0, len(missing), _AT_ONCE):
                self._learn(missing[place : place + _AT_ONCE])
            return {name: self._known[name] for name in names}

    def all(self, connection: Connection) -> Mapping[int, _T]:
        """Every stored name by number.

        Names are never changed nor dropped: as many as were read before are the same ones.
        """
        stored = self._stored
        count = select(func.count()).select_from(self._table)
        if connection.execute(count).scalar() != len(stored):
            rows = connection.execute(select(self._table.c.id, *self._columns))
            stored = self._stored = {row[0]: self._from_row(*row[1:]) for row in rows}
        return stored

    def _learn(self, names: list[_T]) -> None:
        wanted = {self._to_row(name): name for name in names}
        with self._database.write() as tx:
            found = self._find(tx.connection, wanted)
            new = [row for row in wanted if wanted[row] not in found]
            if new:
                keys = [column.name for column in self._columns]
                tx.connection.execute(
                    self._database.insert(self._table).on_conflict_do_nothing(),
                    [dict(zip(keys, row, strict=True)) for row in sorted(new)],
                )
                found = self._find(tx.connection, wanted)
        self._known.update(found)

    def _find(self, connection: Connection, wanted: dict[tuple[str, ...], _T]) -> dict[_T, int]:
        query = select(self._table.c.id, *self._columns)
        rows = connection.execute(query.where(tuple_(*self._columns).in_(list(wanted))))
        return {wanted[tuple(row[1:])]: row[0] for row in rows}


class Names:
    """All interned names of one database."""

    def __init__(self, database: Database) -> None:
        self.sources: Interned[str] = Interned(
            database, usage_sources, lambda source: (source,), str
        )
        self.series: Interned[UsageSeries] = Interned(
            database,
            usage_series,
            lambda s: (s.origin, s.serving, s.model, s.tier.value),
            _usage_series,
        )
        self.demand: Interned[DemandKey] = Interned(
            database, demand_keys, lambda k: (k.origin, k.model, k.tier.value), _demand_key
        )
        self.forecasts: Interned[SeriesKey] = Interned(
            database,
            forecast_series,
            lambda k: (k.demand.origin, k.demand.model, k.demand.tier.value, k.kind.value),
            _series_key,
        )


def _usage_series(origin: str, serving: str, model: str, tier: str) -> UsageSeries:
    return UsageSeries(
        origin=RegionName(origin),
        serving=RegionName(serving),
        model=ModelName(model),
        tier=Tier(tier),
    )


def _demand_key(origin: str, model: str, tier: str) -> DemandKey:
    return DemandKey(origin=RegionName(origin), model=ModelName(model), tier=Tier(tier))


def _series_key(origin: str, model: str, tier: str, kind: str) -> SeriesKey:
    return SeriesKey(demand=_demand_key(origin, model, tier), kind=TokenKind(kind))
