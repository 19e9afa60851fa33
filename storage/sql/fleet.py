"""The fleet log on SQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, delete, or_, select, update

from heliostat.errors import RegionHeld
from heliostat.model.fleet import (
    MOST_AHEAD,
    CapacityDenial,
    Fleet,
    LeadTimeSample,
    RegionObservation,
    StartKind,
)
from heliostat.model.holding import AgentLife, RegionHold, claimed, standing
from heliostat.model.instants import from_epoch, to_epoch
from heliostat.model.names import PoolKey, RegionName
from storage.codec import dumps, loads
from storage.observed import fleet_of
from storage.sql.database import Database, Transaction, put_many
from storage.sql.dropping import drop
from storage.sql.tables import denials, lead_times, observations, region_holds

_MICROSECOND = timedelta(microseconds=1)


class SqlFleet:
    """Keeps `FleetLog`'s promise in tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def observe(self, observation: RegionObservation, now: datetime) -> bool:
        insertion = self._database.insert(observations)
        new, before = insertion.excluded, observations.c.observed_at
        with self._database.write() as tx:
            self._keep_lead_times(tx, observation.lead_times)
            kept = tx.connection.execute(
                insertion.on_conflict_do_update(
                    index_elements=["region"],
                    set_={"observed_at": new.observed_at, "document": new.document},
                    where=or_(new.observed_at > before, before > to_epoch(now + MOST_AHEAD)),
                ).returning(observations.c.region),
                {
                    "region": observation.region,
                    "observed_at": to_epoch(observation.observed_at),
                    "document": dumps(observation),
                },
            )
            return kept.scalar() is not None

    def fleet(self, now: datetime) -> Fleet:
        alive = select(denials.c.document).where(denials.c.until > to_epoch(now))
        with self._database.read() as connection:
            seen = connection.execute(select(observations.c.document)).scalars().all()
            refused = connection.execute(alive).scalars().all()
        return fleet_of(
            [loads(RegionObservation, document) for document in seen],
            [loads(CapacityDenial, document) for document in refused],
            now,
        )

    def observation(self, region: RegionName) -> RegionObservation | None:
        query = select(observations.c.document).where(observations.c.region == region)
        with self._database.read() as connection:
            document = connection.execute(query).scalar()
        return None if document is None else loads(RegionObservation, document)

    def claim(
        self, region: RegionName, agent: AgentLife, now: datetime, lease: timedelta
    ) -> RegionHold:
        refused: RegionHeld | None = None
        with self._database.write() as tx:
            nobody = {"region": region, "document": ""}
            tx.connection.execute(
                self._database.insert(region_holds).values(nobody).on_conflict_do_nothing()
            )
            before = _hold(tx.connection, _hold_of(region).with_for_update())
            hold = standing(before, now, lease)
            try:
                hold = claimed(before, region, agent, now, lease)
            except RegionHeld as error:
                refused = error
            assert hold is not None
            if hold != before:
                _put_hold(tx, hold)
        if refused is not None:
            raise refused
        return hold

    def hold(self, region: RegionName) -> RegionHold | None:
        with self._database.read() as connection:
            return _hold(connection, _hold_of(region))

    def standing_hold(
        self, region: RegionName, now: datetime, lease: timedelta
    ) -> RegionHold | None:
        before = self.hold(region)
        stands = standing(before, now, lease)
        if stands is None or stands == before:
            return stands  # As nearly always: nothing to write.
        with self._database.write() as tx:
            before = _hold(tx.connection, _hold_of(region).with_for_update())
            stands = standing(before, now, lease)
            if stands is not None and stands != before:
                _put_hold(tx, stands)
            return stands

    def deny(self, denial: CapacityDenial, now: datetime) -> None:
        insertion = self._database.insert(denials)
        new = insertion.excluded
        with self._database.write() as tx:
            tx.connection.execute(delete(denials).where(denials.c.at > to_epoch(now + MOST_AHEAD)))
            tx.connection.execute(
                insertion.on_conflict_do_update(
                    index_elements=["region", "vm_type"],
                    set_={"at": new.at, "until": new.until, "document": new.document},
                    where=new.at >= denials.c.at,
                ),
                {
                    "region": denial.region,
                    "vm_type": denial.vm_type,
                    "at": to_epoch(denial.at),
                    "until": to_epoch(denial.until),
                    "document": dumps(denial),
                },
            )

    def lead_times(self, since: datetime) -> tuple[LeadTimeSample, ...]:
        query = select(lead_times).where(lead_times.c.ready_at >= to_epoch(since))
        with self._database.read() as connection:
            found = [
                LeadTimeSample(
                    pool=PoolKey.parse(row.pool),
                    start_kind=StartKind(row.start_kind),
                    lead_time=row.lead_time_microseconds * _MICROSECOND,
                    ready_at=from_epoch(row.ready_at),
                )
                for row in connection.execute(query)
            ]
        return tuple(sorted(found, key=lambda sample: (sample.ready_at, sample.pool)))

    def prune(self, ready_before: datetime) -> int:
        return drop(self._database, lead_times, lead_times.c.ready_at < to_epoch(ready_before))

    def _keep_lead_times(self, tx: Transaction, samples: tuple[LeadTimeSample, ...]) -> None:
        put_many(
            tx,
            self._database.insert(lead_times).on_conflict_do_nothing(),
            [
                {
                    "pool": str(sample.pool),
                    "start_kind": sample.start_kind.value,
                    "ready_at": to_epoch(sample.ready_at),
                    "lead_time_microseconds": sample.lead_time // _MICROSECOND,
                }
                for sample in samples
            ],
        )


def _hold_of(region: RegionName) -> Select[Any]:
    return select(region_holds.c.document).where(region_holds.c.region == region)


def _hold(connection: Connection, query: Select[Any]) -> RegionHold | None:
    document: str | None = connection.execute(query).scalar()
    return loads(RegionHold, document) if document else None


def _put_hold(tx: Transaction, hold: RegionHold) -> None:
    mine = region_holds.c.region == hold.region
    tx.connection.execute(update(region_holds).where(mine).values(document=dumps(hold)))
