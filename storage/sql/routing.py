"""Routing tables and what gateways said of them, on SQL."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, func, insert, or_, select

from heliostat.errors import UnknownRoutingTable
from heliostat.model.instants import to_epoch
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingAck, RoutingTable
from heliostat.ports.decisions import CLOCK_SET_BACK
from storage.codec import dumps, field_of, loads, loads_once
from storage.numbering import routing_version
from storage.sql.counters import next_number
from storage.sql.database import Database, Transaction, put_many
from storage.sql.dropping import drop
from storage.sql.tables import routing_acks, routing_tables


class SqlRouting:
    """Keeps `RoutingLedger`'s promise in tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self, tx: Transaction, tables: tuple[RoutingTable, ...], plan_version: int
    ) -> tuple[RoutingTable, ...]:
        """Publish tables under the next version, for the decision store."""
        version = routing_version(next_number(self._database, tx, "routing"))
        numbered = tuple(replace(t, version=version, plan_version=plan_version) for t in tables)
        tx.connection.execute(
            insert(routing_tables),
            [{"origin": t.origin, "version": version, "document": dumps(t)} for t in numbered],
        )
        return numbered

    def latest_tables(self) -> tuple[RoutingTable, ...]:
        with self._database.read() as connection:
            documents = [self._newest(connection, o) for o in _origins(connection)]
        return tuple(loads_once(RoutingTable, d) for d in documents if d is not None)

    def table(self, origin: RegionName, version: str = "") -> RoutingTable:
        c = routing_tables.c
        query = select(c.document).where(c.origin == origin)
        with self._database.read() as connection:
            if version:
                document = connection.execute(query.where(c.version == version)).scalar()
            else:
                document = self._newest(connection, origin)
        if document is None:
            raise UnknownRoutingTable(f"{origin} {version}".rstrip())
        return loads_once(RoutingTable, document)

    def acknowledge_tables(self, acks: Sequence[RoutingAck]) -> None:
        rows = [
            {
                "origin": ack.origin,
                "gateway_id": ack.gateway_id,
                "at": to_epoch(ack.at),
                "document": dumps(ack),
            }
            for ack in acks
        ]
        insertion = self._database.insert(routing_acks)
        new, before = insertion.excluded, routing_acks.c.at
        set_back = int(CLOCK_SET_BACK.total_seconds())
        with self._database.write() as tx:
            put_many(
                tx,
                insertion.on_conflict_do_update(
                    index_elements=["origin", "gateway_id"],
                    set_={"at": new.at, "document": new.document},
                    where=or_(new.at >= before, new.at < before - set_back),
                ),
                rows,
            )

    def routing_acks(self, origin: RegionName | None = None) -> tuple[RoutingAck, ...]:
        query = select(routing_acks.c.document)
        if origin is not None:
            query = query.where(routing_acks.c.origin == origin)
        with self._database.read() as connection:
            found = [loads(RoutingAck, doc) for doc in connection.execute(query).scalars()]
        return tuple(sorted(found, key=lambda ack: (ack.origin, ack.gateway_id)))

    def prune(self, valid_before: datetime, heard_before: datetime) -> int:
        silent = routing_acks.c.at < to_epoch(heard_before)
        removed = drop(self._database, routing_acks, silent)
        with self._database.read() as connection:
            origins = list(_origins(connection))
        return removed + sum(self._drop_older(origin, valid_before) for origin in origins)

    def _drop_older(self, origin: str, valid_before: datetime) -> int:
        """Drop one origin's tables from before, its newest aside. Only their documents say how old they
        are, and versions grow with time: a few documents tell where to cut."""
        c = routing_tables.c
        of_origin = c.origin == origin
        with self._database.read() as connection:

            def valid_from(version: str) -> datetime:
                query = select(c.document).where(of_origin, c.version == version)
                document = connection.execute(query).scalar_one()
                instant: datetime = field_of(RoutingTable, "valid_from", document)
                return instant

            versions = select(c.version).where(of_origin).order_by(c.version)
            older = connection.execute(versions).scalars().all()[:-1]
            old = older[: bisect_left(older, valid_before, key=valid_from)]
        if not old:
            return 0
        return drop(self._database, routing_tables, of_origin, c.version <= old[-1])

    def _newest(self, connection: Connection, origin: str) -> str | None:
        c = routing_tables.c
        query = select(c.document).where(c.origin == origin)
        document: str | None = connection.execute(
            query.order_by(c.version.desc()).limit(1)
        ).scalar()
        return document


def _origins(connection: Connection) -> Iterator[str]:
    """Every origin that has a table, by name: one look into the index each, however many tables it has."""
    c = routing_tables.c
    first = select(func.min(c.origin))
    origin = connection.execute(first).scalar()
    while origin is not None:
        yield origin
        origin = connection.execute(first.where(c.origin > origin)).scalar()
