"""Observes cloud and engines, and records changes since the last observation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from heliostat.errors import DriverUnavailable, Throttled
from heliostat.model.names import PoolKey
from services.agent.drivers.vm.claims import claim, follow_tags, take_back
from services.agent.drivers.vm.cloud import (
    CloudVm,
    EngineProber,
    EngineReading,
    RedeployState,
    VmCloud,
    VmState,
)
from services.agent.drivers.vm.memory import DriverMemory, VmRecord
from services.agent.drivers.vm.survey import Patience, Stage, Survey, look
from services.log_events import report

_log = logging.getLogger(__name__)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Eyes:
    """Reconciles records with the cloud's list; buys and releases nothing."""

    def __init__(
        self, *, cloud: VmCloud, memory: DriverMemory, prober: EngineProber, patience: Patience
    ) -> None:
        self._cloud = cloud
        self._memory = memory
        self._prober = prober
        self._patience = patience
        self._last_healthy: dict[str, datetime] = {}
        self._unsaid: dict[str, datetime] = {}
        """When the cloud last failed to say how far a VM's redeploy is."""

    def survey(self, now: datetime) -> Survey:
        """The region as it stands. Raises Throttled, DriverUnavailable."""
        listed = self._cloud.list_vms()
        claim(self._memory, listed)
        take_back(self._memory, listed)
        follow_tags(self._memory, listed, now, self._patience)
        records = self._memory.vms()
        readings = self._read(records, listed, now)
        settled = self._settle_redeploys(_with_addresses(records, listed), listed, now)
        survey = look(
            records=[settled.get(record.vm_id, record) for record in records],
            listed=listed,
            readings=readings,
            last_healthy=self._last_healthy,
            now=now,
            patience=self._patience,
        )
        changed = {**settled, **_milestones(survey, now)}
        if changed:
            self._memory.save(vms=changed.values())
        return survey.with_records(changed.values(), self._patience)

    def _read(
        self, records: Iterable[VmRecord], listed: Iterable[CloudVm], now: datetime
    ) -> Mapping[str, EngineReading]:
        running = {vm.vm_id: vm.address for vm in listed if vm.state is VmState.RUNNING}
        engines: dict[str, PoolKey] = {}
        at: dict[str, str] = {}
        for record in records:
            if record.gone_at is None and running.get(record.vm_id):
                at[record.vm_id] = running[record.vm_id]
                engines[running[record.vm_id]] = record.pool
        answers = self._prober.probe(engines)
        readings = {vm: answers[where] for vm, where in at.items() if where in answers}
        for vm_id in at:
            healthy = vm_id in readings and readings[vm_id].healthy
            # At the first look too, and where the clock went back.
            if healthy or self._last_healthy.get(vm_id, now) >= now:
                self._last_healthy[vm_id] = now
        return readings

    def _settle_redeploys(
        self, changed: dict[str, VmRecord], listed: Iterable[CloudVm], now: datetime
    ) -> dict[str, VmRecord]:
        """Ask how far redeploys are, up to the first one of which the cloud does not say it. That one comes
        last from then on, and takes no sight of the region away: `patience.start` ends it."""
        settled = dict(changed)
        alive = {vm.vm_id for vm in listed if vm.state is not VmState.GONE}
        self._unsaid = {vm_id: at for vm_id, at in self._unsaid.items() if vm_id in alive}
        running = [
            changed.get(record.vm_id, record)
            for record in self._memory.vms()
            if record.vm_id in alive and record.operation_id and not record.broken
        ]
        for record in sorted(running, key=lambda r: self._unsaid.get(r.vm_id, _NEVER)):
            try:
                state = self._cloud.redeploy_state(record.vm_id, record.operation_id)
            except (Throttled, DriverUnavailable) as error:
                if record.vm_id not in self._unsaid:
                    report(_log, "redeploy_not_seen", error, vm=record.vm_id, pool=record.pool)
                self._unsaid[record.vm_id] = now
                break
            self._unsaid.pop(record.vm_id, None)
            match state:
                case RedeployState.SUCCEEDED:
                    settled[record.vm_id] = replace(record, operation_id="")
                case RedeployState.FAILED:
                    settled[record.vm_id] = replace(record, broken=True)
                case RedeployState.RUNNING:
                    pass
        return settled


def _with_addresses(records: Iterable[VmRecord], listed: Iterable[CloudVm]) -> dict[str, VmRecord]:
    """Records whose VM has (another) address by now."""
    addresses = {vm.vm_id: vm.address for vm in listed if vm.address}
    return {
        record.vm_id: replace(record, address=addresses[record.vm_id])
        for record in records
        if addresses.get(record.vm_id, record.address) != record.address
    }


def _milestones(survey: Survey, now: datetime) -> dict[str, VmRecord]:
    """Records that became ready, or went, since the last look."""
    changed = {}
    for sighting in survey.ours:
        record = sighting.record
        if sighting.stage is Stage.GONE and record.gone_at is None:
            vanished = record.released_at is None
            changed[record.vm_id] = replace(
                record, gone_at=now, broken=record.broken or vanished, moving_to=None
            )
        elif sighting.stage is Stage.READY and record.ready_at is None:
            changed[record.vm_id] = replace(record, ready_at=now)
    return changed
