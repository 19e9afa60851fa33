"""Overrides and modes on SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from heliostat.errors import UnknownOverride
from heliostat.model.governance import Modes, ModeSetting, Override
from heliostat.model.instants import to_epoch
from storage.codec import dumps, loads
from storage.life import cancelled_override_record, override_ended
from storage.sql.audit import SqlAudit
from storage.sql.database import Database, Transaction
from storage.sql.leadership import SqlLeadership
from storage.sql.tables import modes, overrides


class SqlOverrides:
    """Keeps `OverrideBook`'s promise in a table; a pool's newest has the highest id."""

    def __init__(self, database: Database, leadership: SqlLeadership, audit: SqlAudit) -> None:
        self._database = database
        self._leadership = leadership
        self._audit = audit

    def put(self, tx: Transaction, override: Override) -> None:
        """Keep a new one, for the decision store; one that is known stays as it is."""
        tx.connection.execute(
            self._database.insert(overrides)
            .values(
                override_id=override.override_id,
                pool=str(override.pool),
                created_at=to_epoch(override.created_at),
                expires_at=to_epoch(override.expires_at),
                cancelled=False,
                document=dumps(override),
            )
            .on_conflict_do_nothing()
        )

    def overrides(self, now: datetime) -> tuple[Override, ...]:
        c = overrides.c
        newest = select(func.max(c.id)).group_by(c.pool)
        query = select(c.document).where(
            c.id.in_(newest), c.cancelled.is_(False), c.expires_at > to_epoch(now)
        )
        with self._database.read() as connection:
            documents = connection.execute(query).scalars()
            found = [loads(Override, document) for document in documents]
        return tuple(
            sorted((o for o in found if o.in_force(now)), key=lambda override: override.pool)
        )

    def override(self, override_id: str) -> Override:
        with self._database.read() as connection:
            return self._find(connection, override_id)

    def cancel_override(
        self, override_id: str, *, author: str, now: datetime, epoch: int
    ) -> Override:
        with self._database.write() as tx:
            self._leadership.check(tx, epoch)
            ended = override_ended(self._find(tx.connection, override_id, lock=True), now)
            tx.connection.execute(
                update(overrides)
                .where(overrides.c.override_id == override_id)
                .values(
                    cancelled=True, expires_at=to_epoch(ended.expires_at), document=dumps(ended)
                )
            )
            self._audit.put(tx, cancelled_override_record(override_id, author, now))
            return ended

    def _find(self, connection: Connection, override_id: str, *, lock: bool = False) -> Override:
        c = overrides.c
        query = select(c.document).where(c.override_id == override_id, c.cancelled.is_(False))
        document = connection.execute(query.with_for_update() if lock else query).scalar()
        if document is None:
            raise UnknownOverride(override_id)
        return loads(Override, document)


class SqlModes:
    """Keeps `ModeBook`'s promise in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, tx: Transaction, setting: ModeSetting) -> None:
        """Put a setting in force, for the decision store; its revision grows."""
        of_region = modes.c.region == setting.region
        before = tx.connection.execute(
            select(modes.c.document).where(of_region).with_for_update()
        ).scalar()
        revision = 1 if before is None else loads(ModeSetting, before).revision + 1
        insertion = self._database.insert(modes)
        tx.connection.execute(
            insertion.on_conflict_do_update(
                index_elements=["region"], set_={"document": insertion.excluded.document}
            ),
            {"region": setting.region, "document": dumps(replace(setting, revision=revision))},
        )

    def modes(self) -> Modes:
        with self._database.read() as connection:
            return self.within(connection)

    def within(self, connection: Connection) -> Modes:
        """All settings, as the transaction sees them."""
        documents = connection.execute(select(modes.c.document)).scalars()
        settings = [loads(ModeSetting, document) for document in documents]
        return Modes(tuple(sorted(settings, key=lambda setting: setting.region)))
