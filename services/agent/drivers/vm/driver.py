"""Carries out absolute targets on a cloud of VMs: the intent is written down before the cloud is asked.

```
command ─► intent (journalled) ─► chunk: planned ─► sent (journalled) ─► cloud ─► landed (journalled)
                               ├► move:  draining (journalled) ─► in flight 0 ─► redeploy ─► loading
                               └► release: draining (journalled) ─► in flight 0 ─► cloud ─► gone
```
A call that was cut short anywhere is repeated under the same token; a look by tag finds what a lost
answer would have told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from heliostat.errors import (
    CapacityUnavailable,
    DriverUnavailable,
    NotFound,
    QuotaExceeded,
    Throttled,
    UnknownPool,
)
from heliostat.model.command import Command, CommandProgress
from heliostat.model.fleet import RegionObservation, StartKind
from heliostat.model.names import PoolKey, RegionName
from heliostat.ports.cloud import DriverAnswer
from services.agent.drivers.vm.cloud import EngineProber, Purchase, VmCloud
from services.agent.drivers.vm.endings import (
    error_of,
    is_settled,
    refusal_of,
    wait_while_in_doubt,
)
from services.agent.drivers.vm.eyes import Eyes, record_of
from services.agent.drivers.vm.intents import (
    intend,
    intent_id_of,
    purchases,
    sent,
    under_way,
    with_chunk,
    without,
)
from services.agent.drivers.vm.memory import (
    Chunk,
    ChunkState,
    DriverMemory,
    Intent,
    Refusal,
    VmRecord,
)
from services.agent.drivers.vm.report import Gauge, observation_of, progress_of
from services.agent.drivers.vm.survey import Patience, Sighting, Stage, Survey, is_drained

_KEEP_GONE = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverLimits:
    """How much the driver does at once, and how often it repairs."""

    chunk_size: int = 10
    repairs: int = 3
    """How many times VMs that died under an order are replaced."""
    weights_on_disk: bool = True
    """True when every VM's disk holds all models' weights, so that a redeploy loads locally."""


class VmDriver:
    """Implements `heliostat.ports.cloud.CloudDriver` on any VmCloud."""

    def __init__(
        self,
        *,
        region: RegionName,
        pools: Collection[PoolKey],
        cloud: VmCloud,
        memory: DriverMemory,
        prober: EngineProber,
        gauge: Gauge,
        new_token: Callable[[], str],
        patience: Patience,
        limits: DriverLimits,
    ) -> None:
        self._region = region
        self._pools = tuple(sorted(pools))
        self._cloud = cloud
        self._memory = memory
        self._gauge = gauge
        self._new_token = new_token
        self._patience = patience
        self._limits = limits
        self._eyes = Eyes(cloud=cloud, memory=memory, prober=prober, patience=patience)
        self._seen: Survey | None = None
        self._reported: set[tuple[str, datetime | None]] = set()

    def apply(self, command: Command, now: datetime) -> DriverAnswer:
        for pool in command.order.pools:
            if pool not in self._pools:
                raise UnknownPool(pool, remedy=f"{self._region} has no such pool")
        intent = self._memory.intent(intent_id_of(command))
        if intent is not None and intent.refusal is not None:
            raise error_of(intent.refusal)
        survey = self._look(now)
        if intent is None:
            intent, survey = self._begin(command, survey)
        if not intent.closed:
            intent, survey = self._advance(intent, survey, now)
        if not intent.closed and is_settled(intent, survey):
            intent = replace(intent, closed_at=now)
            self._memory.save(intent=intent)
        return DriverAnswer(progress=progress_of(intent, survey), done=intent.closed)

    def abandon(self, command: Command, now: datetime) -> CommandProgress:
        survey = self._look(now)
        intent = self._memory.intent(intent_id_of(command))
        if intent is None:
            return CommandProgress()
        if not intent.closed:
            intent = without(intent, ChunkState.PLANNED)
            self._memory.save(intent=intent)
            wait_while_in_doubt(intent, now, self._patience)
            intent, survey = self._close(intent, survey, now)
        return progress_of(intent, survey)

    def observe(self, now: datetime) -> RegionObservation:
        self._seen = None
        self._memory.prune(now - _KEEP_GONE)
        survey = self._look(now)
        fresh = [s for s in survey.ours if (s.record.vm_id, _ready(s)) not in self._reported]
        self._reported.update((s.record.vm_id, _ready(s)) for s in fresh)
        return observation_of(
            region=self._region,
            pools=self._pools,
            survey=survey,
            newly_seen=fresh,
            desired=self._memory.desired(),
            gauge=self._gauge,
        )

    # --- looking -------------------------------------------------------------------------------

    def _look(self, now: datetime) -> Survey:
        """One look per instant serves all orders of a tick, unless something was changed since."""
        if self._seen is None or self._seen.at != now:
            self._seen = self._eyes.survey(now)
        return self._seen

    def _keep(
        self, survey: Survey, intent: Intent, records: Iterable[VmRecord] = ()
    ) -> tuple[Intent, Survey]:
        """Write intent and records in one transaction, and see them at once."""
        records = tuple(records)
        self._memory.save(intent=intent, vms=records)
        self._seen = survey.with_records(records, self._patience)
        return intent, self._seen

    # --- beginning and ending ------------------------------------------------------------------

    def _begin(self, command: Command, survey: Survey) -> tuple[Intent, Survey]:
        plan = intend(
            command,
            survey,
            coming=under_way(self._memory.intents()),
            chunk_size=self._limits.chunk_size,
            new_token=self._new_token,
        )
        self._refuse_to_buy_twice({chunk.pool for chunk in plan.intent.chunks}, survey)
        self._memory.save(intent=plan.intent, vms=plan.marked, desired=dict(command.order.targets))
        self._seen = survey.with_records(plan.marked, self._patience)
        return plan.intent, self._seen

    def _refuse_to_buy_twice(self, pools: Collection[PoolKey], survey: Survey) -> None:
        """No purchase for a pool in which VMs of a life before this memory stand: they may be the
        very replicas that seem to be missing."""
        old = [
            vm.vm_id
            for vm in survey.unknown
            if vm.pool in pools and vm.launched_at < self._memory.born_at
        ]
        if old:
            raise DriverUnavailable(
                f"VMs from before this journal stand in the pool: {', '.join(sorted(old)[:5])}",
                remedy="adopt them (heliostat agent adopt) or remove their heliostat tags",
            )

    def _close(
        self, intent: Intent, survey: Survey, now: datetime, refusal: Refusal | None = None
    ) -> tuple[Intent, Survey]:
        """Let go: nothing more is bought, what drains serves again, what stands is what is desired."""
        kept = {*intent.releases, *intent.moves}
        undrained = [
            replace(s.record, draining_since=None, moving_to=None)
            for s in survey.ours
            if s.record.vm_id in kept and s.stage is Stage.DRAINING and not s.record.released_at
        ]
        intent = without(intent, ChunkState.PLANNED, ChunkState.SENT)
        intent = replace(intent, closed_at=now, refusal=refusal)
        survey = survey.with_records(undrained, self._patience)
        desired = {pool: len(survey.standing(pool)) for pool, _ in intent.targets}
        self._memory.save(intent=intent, vms=undrained, desired=desired)
        self._seen = survey
        return intent, survey

    # --- one bounded step ----------------------------------------------------------------------

    def _advance(self, intent: Intent, survey: Survey, now: datetime) -> tuple[Intent, Survey]:
        if intent.waiting:
            return self._buy(intent, intent.waiting[0], survey, now)
        drained = [s for s in survey.ours if is_drained(s, now, self._patience)]
        moving = [s for s in drained if s.record.vm_id in intent.moves and s.record.moving_to]
        if moving:
            return self._redeploy(intent, moving[0], survey, now)
        leaving = [s for s in drained if s.record.vm_id in intent.releases]
        if leaving:
            return self._release(intent, leaving, survey, now)
        return self._mend(intent, survey, now)

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
        except (CapacityUnavailable, QuotaExceeded, NotFound) as error:
            self._close(intent, survey, now, refusal_of(error))
            raise
        landed = with_chunk(intent, replace(chunk, state=ChunkState.LANDED))
        known = {s.record.vm_id for s in survey.ours}
        records = [
            record_of(vm, chunk.pool, intent.intent_id, chunk.sent_at)
            for vm in vms
            if vm.vm_id not in known
        ]
        intent, survey = self._keep(survey, landed, records)
        if len(vms) < chunk.count:
            short = CapacityUnavailable(f"{chunk.pool}: got {len(vms)} of {chunk.count} VMs")
            self._close(intent, survey, now, refusal_of(short))
            raise short
        return intent, survey

    def _redeploy(
        self, intent: Intent, sighting: Sighting, survey: Survey, now: datetime
    ) -> tuple[Intent, Survey]:
        record = sighting.record
        assert record.moving_to is not None  # chosen by the caller
        operation = self._cloud.redeploy(record.vm_id, record.moving_to, intent.command_id)
        local = self._limits.weights_on_disk
        moved = replace(
            record,
            pool=record.moving_to,
            moving_to=None,
            operation_id=operation,
            ordered_at=record.draining_since or now,
            draining_since=None,
            ready_at=None,
            start_kind=StartKind.REDEPLOY_LOCAL_WEIGHTS
            if local
            else StartKind.REDEPLOY_REMOTE_WEIGHTS,
        )
        return self._keep(survey, intent, [moved])

    def _release(
        self, intent: Intent, leaving: Collection[Sighting], survey: Survey, now: datetime
    ) -> tuple[Intent, Survey]:
        self._cloud.release([s.record.vm_id for s in leaving])
        return self._keep(survey, intent, [replace(s.record, released_at=now) for s in leaving])

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
        return self._keep(survey, mended, [replace(s.record, draining_since=now) for s in failed])


def _ready(sighting: Sighting) -> datetime | None:
    return sighting.record.ready_at
