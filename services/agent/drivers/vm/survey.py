"""The current state: the cloud's list, the engines' answers and our records, combined per VM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from heliostat.model.names import PoolKey
from services.agent.drivers.vm.cloud import CloudVm, EngineReading, VmState
from services.agent.drivers.vm.memory import VmRecord


class Stage(StrEnum):
    """Where one VM of ours stands."""

    PROVISIONING = "provisioning"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"
    GONE = "gone"


STANDING = (Stage.PROVISIONING, Stage.LOADING, Stage.READY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the driver waits for what."""

    visibility: timedelta
    """The cloud's list may lag so far behind a purchase."""
    start: timedelta
    """A VM that has not served by then has failed."""
    unhealthy: timedelta
    """A replica may miss health checks for so long before it counts as failed."""
    drain_settle: timedelta
    """Routing tables reach all gateways within this time; before, nothing in flight says little."""
    drain: timedelta
    """Requests that run longer are cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One VM of ours as it stands now."""

    record: VmRecord
    stage: Stage
    reading: EngineReading | None = None

    @property
    def counts_for(self) -> PoolKey:
        """The pool that it stands for: where it is going, or where it is."""
        return self.record.moving_to or self.record.pool

    @property
    def stands(self) -> bool:
        """True when it serves, or will serve, in the pool that it counts for."""
        moves = self.stage is Stage.DRAINING and self.record.moving_to is not None
        return moves or self.stage in STANDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All VMs of the region at one instant."""

    at: datetime
    ours: tuple[Sighting, ...]
    unknown: tuple[CloudVm, ...] = ()

    def standing(self, pool: PoolKey) -> tuple[Sighting, ...]:
        """What serves or will serve in the pool, oldest purchase first."""
        return tuple(s for s in self.ours if s.stands and s.counts_for == pool)

    def with_records(self, records: Iterable[VmRecord], patience: Patience) -> Survey:
        """The same look with newer records: what we did since is visible at once."""
        newer = {record.vm_id: record for record in records}
        known = {s.record.vm_id for s in self.ours}
        kept = tuple(
            replace(
                s,
                record=newer[s.record.vm_id],
                stage=_after(s, newer[s.record.vm_id]),
            )
            if s.record.vm_id in newer
            else s
            for s in self.ours
        )
        added = tuple(
            Sighting(record=record, stage=stage_of(record, None, None, None, self.at, patience))
            for record in newer.values()
            if record.vm_id not in known
        )
        return replace(self, ours=kept + added)


def look(
    *,
    records: Iterable[VmRecord],
    listed: Iterable[CloudVm],
    readings: Mapping[str, EngineReading],
    last_healthy: Mapping[str, datetime],
    now: datetime,
    patience: Patience,
) -> Survey:
    """Put the three together; a record that the list lacks is not gone before `visibility` passed."""
    by_id = {vm.vm_id: vm for vm in listed}
    ours = []
    for record in records:
        vm = by_id.pop(record.vm_id, None)
        reading = readings.get(record.vm_id)
        stage = stage_of(record, vm, reading, last_healthy.get(record.vm_id), now, patience)
        ours.append(Sighting(record=record, stage=stage, reading=reading))
    unknown = tuple(vm for vm in by_id.values() if vm.state is not VmState.GONE)
    return Survey(at=now, ours=tuple(ours), unknown=unknown)


def stage_of(
    record: VmRecord,
    vm: CloudVm | None,
    reading: EngineReading | None,
    last_healthy: datetime | None,
    now: datetime,
    patience: Patience,
) -> Stage:
    """Where the VM stands, from most final to least."""
    if record.gone_at is not None:
        return Stage.GONE
    if vm is None and now - record.ordered_at > patience.visibility:
        return Stage.GONE
    if vm is not None and vm.state is VmState.GONE:
        return Stage.GONE
    if record.released_at is not None or record.draining_since is not None:
        return Stage.DRAINING
    if record.broken:
        return Stage.FAILED
    if vm is None or vm.state is VmState.PENDING:
        return Stage.PROVISIONING
    return _serving_stage(record, reading, last_healthy, now, patience)


def is_drained(sighting: Sighting, now: datetime, patience: Patience) -> bool:
    """True when a draining VM may go: nothing is in flight, nothing ever was, or it took too long."""
    record = sighting.record
    if sighting.stage is not Stage.DRAINING or record.released_at is not None:
        return False
    if record.ready_at is None or record.broken or record.draining_since is None:
        return True
    drained_for = now - record.draining_since
    if drained_for >= patience.drain:
        return True
    in_flight = sighting.reading.in_flight if sighting.reading is not None else None
    return in_flight == 0 and drained_for >= patience.drain_settle


def was_not_released(sighting: Sighting, now: datetime, patience: Patience) -> bool:
    """True when the cloud was asked to take the VM back some minutes ago and it is not gone: a request right
    after the purchase may have found no such VM."""
    asked = sighting.record.released_at
    late = asked is not None and now - asked > patience.visibility
    return sighting.stage is Stage.DRAINING and late


def _serving_stage(
    record: VmRecord,
    reading: EngineReading | None,
    last_healthy: datetime | None,
    now: datetime,
    patience: Patience,
) -> Stage:
    healthy = reading is not None and reading.healthy and not record.operation_id
    if healthy:
        return Stage.READY
    if record.ready_at is None:
        return Stage.LOADING if now - record.ordered_at <= patience.start else Stage.FAILED
    seen = last_healthy or record.ready_at
    return Stage.READY if now - seen <= patience.unhealthy else Stage.FAILED


def _after(sighting: Sighting, record: VmRecord) -> Stage:
    """The stage after something that we did and wrote down ourselves."""
    if record.gone_at is not None:
        return Stage.GONE
    if record.released_at is not None or record.draining_since is not None:
        return Stage.DRAINING
    if record.broken:
        return Stage.FAILED
    if record.operation_id:
        return Stage.LOADING
    if sighting.stage is not Stage.DRAINING:
        return sighting.stage
    return Stage.READY if record.ready_at else Stage.LOADING
