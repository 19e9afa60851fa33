"""One bounded step of an intent: buy a chunk, redeploy or release drained VMs, replace failed ones.

Every step is written down before the cloud is asked (see `driver`), so that it can be cut short anywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from heliostat.errors import (
    CapacityUnavailable,
    NotFound,
    PurchaseRefused,
    QuotaExceeded,
    Throttled,
)
from heliostat.model.fleet import StartKind
from heliostat.model.names import PoolKey
from services.agent.drivers.vm.claims import check_all_known, record_of
from services.agent.drivers.vm.cloud import NotDone, Purchase, VmCloud
from services.agent.drivers.vm.endings import refusal_of, wait_while_in_doubt
from services.agent.drivers.vm.intents import (
    purchases,
    sent,
    still_lacking,
    under_way,
    with_chunk,
    without,
)
from services.agent.drivers.vm.lookout import Lookout
from services.agent.drivers.vm.memory import (
    Chunk,
    ChunkState,
    DriverMemory,
    Intent,
    Refusal,
    VmRecord,
)
from services.agent.drivers.vm.survey import (
    Patience,
    Sighting,
    Stage,
    Survey,
    is_drained,
    was_not_released,
)
from services.log_events import report

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverLimits:
    """How much the driver does at once, and how often it repairs."""

    chunk_size: int
    """Maximum VMs per purchase."""
    repairs: int
    """How many times VMs that died under an order are replaced."""
    weights_on_disk: bool
    """True when every VM's disk holds all models' weights, so that a redeploy loads locally."""


class Steps:
    """Acts on the cloud for one intent at a time."""

    def __init__(
        self,
        *,
        cloud: VmCloud,
        memory: DriverMemory,
        lookout: Lookout,
        new_token: Callable[[], str],
        patience: Patience,
        limits: DriverLimits,
    ) -> None:
        self._cloud = cloud
        self._memory = memory
        self._lookout = lookout
        self._new_token = new_token
        self._patience = patience
        self._limits = limits

    def advance(self, intent: Intent, survey: Survey, now: datetime) -> tuple[Intent, Survey]:
        """The intent and the region after one step. Raises what the cloud answers; a refusal closes the
        intent first."""
        if intent.waiting and intent.waiting[0].state is ChunkState.PLANNED:
            intent, survey = self._planned_anew(intent, survey)
        if intent.waiting:
            return self._buy(intent, intent.waiting[0], survey, now)
        drained = [s for s in survey.ours if is_drained(s, now, self._patience)]
        moving = [s for s in drained if s.record.vm_id in intent.moves and s.record.moving_to]
        if moving:
            return self._redeploy(intent, moving[0], survey, now)
        leaving = [s for s in drained if s.record.vm_id in intent.releases]
        if leaving:
            return intent, self._release(intent, leaving, survey, now)
        return self._mend(intent, survey, now)

    def close(
        self, intent: Intent, survey: Survey, now: datetime, refusal: Refusal | None = None
    ) -> tuple[Intent, Survey]:
        """Abandon: nothing more is bought, draining VMs serve again, and the current state becomes the
        target, except for pools of another open intent. Raises what the cloud answers, then nothing is
        written yet."""
        kept = {*intent.releases, *intent.moves}
        undrained = [
            self._undrained(s.record, intent, now)
            for s in survey.ours
            if s.record.vm_id in kept and s.stage is Stage.DRAINING and not s.record.released_at
        ]
        intent = without(intent, ChunkState.PLANNED, ChunkState.SENT)
        intent = replace(intent, closed_at=now, refusal=refusal)
        standing = survey.with_records(undrained, self._patience).standing
        elsewhere = {
            pool
            for other in self._memory.intents()
            if not other.closed and other.intent_id != intent.intent_id
            for pool, _ in other.targets
        }
        pools = (pool for pool, _ in intent.targets if pool not in elsewhere)
        desired = {pool: len(standing(pool)) for pool in pools}
        return intent, self._lookout.keep(survey, intent, undrained, desired)

    def release_again(self, survey: Survey, now: datetime) -> Survey:
        """Repeat releases that did not take, whosever order they were. Raises what the cloud answers."""
        late = [s for s in survey.ours if was_not_released(s, now, self._patience)]
        return self._release(None, late, survey, now) if late else survey

    def _planned_anew(self, intent: Intent, survey: Survey) -> tuple[Intent, Survey]:
        """What is still to be bought, as the pools are now. Raises DriverUnavailable while it is not known
        whose VMs stand in them."""
        planned = [chunk for chunk in intent.waiting if chunk.state is ChunkState.PLANNED]
        check_all_known({chunk.pool for chunk in planned}, survey)
        others = [i for i in self._memory.intents() if i.intent_id != intent.intent_id]
        lacking = still_lacking(intent, survey, under_way(others))
        if lacking == intent:
            return intent, survey
        return lacking, self._lookout.keep(survey, lacking)

    def _buy(
        self, intent: Intent, chunk: Chunk, survey: Survey, now: datetime
    ) -> tuple[Intent, Survey]:
        was_in_doubt = chunk.state is ChunkState.SENT
        intent, chunk = sent(intent, chunk, now)
        self._memory.save(intent=intent)
        purchase = Purchase(
            token=chunk.token, pool=chunk.pool, count=chunk.count, command_id=intent.command_id
        )
        try:
            vms = self._cloud.buy(purchase)
        except Throttled:
            if not was_in_doubt:
                planned = replace(chunk, state=ChunkState.PLANNED, sent_at=None)
                self._memory.save(intent=with_chunk(intent, planned))
            raise
        except (CapacityUnavailable, QuotaExceeded, PurchaseRefused, NotFound) as error:
            if was_in_doubt:  # clouds may refuse a repeated call of which the first was carried out
                wait_while_in_doubt([chunk], now, self._patience)
            self.close(intent, survey, now, refusal_of(error))
            raise
        landed = with_chunk(intent, replace(chunk, state=ChunkState.LANDED))
        known = {s.record.vm_id for s in survey.ours}
        records = [
            record_of(vm, chunk.pool, intent.intent_id, chunk.sent_at)
            for vm in vms
            if vm.vm_id not in known
        ]
        intent, survey = landed, self._lookout.keep(survey, landed, records)
        if len(vms) < chunk.count:
            short = CapacityUnavailable(f"{chunk.pool}: got {len(vms)} of {chunk.count} VMs")
            self.close(intent, survey, now, refusal_of(short))
            raise short
        return intent, survey

    def _redeploy(
        self, intent: Intent, sighting: Sighting, survey: Survey, now: datetime
    ) -> tuple[Intent, Survey]:
        record = replace(sighting.record, asked_at=now)
        assert record.moving_to is not None  # chosen by the caller
        survey = self._lookout.keep(survey, None, [record])
        operation = self._cloud.redeploy(record.vm_id, record.moving_to, intent.command_id)
        moved = self._moved(record, record.moving_to, operation)
        moved = replace(moved, ordered_at=record.draining_since or now)
        return intent, self._lookout.keep(survey, intent, [moved])

    def _undrained(self, record: VmRecord, intent: Intent, now: datetime) -> VmRecord:
        """The record of a VM that serves on where it was. One that may be on its way to another pool, since
        the cloud was asked and did not answer, is redeployed to where it was."""
        staying = replace(record, draining_since=None, moving_to=None)
        if record.moving_to is None or record.asked_at is None:
            return staying
        try:
            operation = self._cloud.redeploy(record.vm_id, record.pool, intent.command_id)
        except NotDone as error:  # nor will it have begun what it was asked for before
            report(_log, "redeploy_not_taken_back", error, vm=record.vm_id, pool=record.pool)
            return replace(staying, asked_at=now)
        moved = self._moved(record, record.pool, operation)
        # Its start is no lead time: perhaps it never left.
        return replace(moved, asked_at=now, ordered_at=now, intent_id="")

    def _moved(self, record: VmRecord, to: PoolKey, operation: str) -> VmRecord:
        """The record of a VM that the cloud redeploys."""
        local = self._limits.weights_on_disk
        return replace(
            record,
            pool=to,
            moving_to=None,
            operation_id=operation,
            draining_since=None,
            ready_at=None,
            start_kind=StartKind.REDEPLOY_LOCAL_WEIGHTS
            if local
            else StartKind.REDEPLOY_REMOTE_WEIGHTS,
        )

    def _release(
        self, intent: Intent | None, leaving: Collection[Sighting], survey: Survey, now: datetime
    ) -> Survey:
        self._cloud.release([s.record.vm_id for s in leaving])
        given_back = [replace(s.record, released_at=now) for s in leaving]
        return self._lookout.keep(survey, intent, given_back)

    def _mend(self, intent: Intent, survey: Survey, now: datetime) -> tuple[Intent, Survey]:
        """Replace what died under this order, a bounded number of times; give back what failed."""
        failed = [
            s
            for s in survey.ours
            if s.stage is Stage.FAILED and s.record.intent_id == intent.intent_id
        ]
        chunks: list[Chunk] = []
        coming = under_way(self._memory.intents())
        if intent.repairs < self._limits.repairs:
            for pool, target in intent.targets:
                chunks += purchases(
                    pool,
                    target - len(survey.standing(pool)) - coming.get(pool, 0),
                    chunk_size=self._limits.chunk_size,
                    new_token=self._new_token,
                )
        if not chunks and not failed:
            return intent, survey
        mended = replace(
            intent,
            chunks=intent.chunks + tuple(chunks),
            releases=intent.releases + tuple(s.record.vm_id for s in failed),
            repairs=intent.repairs + bool(chunks),
        )
        draining = [replace(s.record, draining_since=now) for s in failed]
        return mended, self._lookout.keep(survey, mended, draining)
