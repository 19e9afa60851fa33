"""Recognises listed VMs as ours: bought by an interrupted call, adopted, reappeared, or redeployed by a life
that the journal has forgotten."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from heliostat.errors import DriverUnavailable
from heliostat.model.names import PoolKey
from services.agent.drivers.vm.cloud import CloudVm, VmState
from services.agent.drivers.vm.intents import with_chunk
from services.agent.drivers.vm.memory import ChunkState, DriverMemory, Intent, VmRecord
from services.agent.drivers.vm.survey import Patience, Survey
from services.log_events import say

_log = logging.getLogger(__name__)

_NAMED = 5


def claim(memory: DriverMemory, listed: Sequence[CloudVm]) -> None:
    """Write down VMs that carry a token of ours (their purchase was cut short), or that were to be
    adopted. A purchase of which the list shows every VM has landed."""
    known = {record.vm_id for record in memory.vms()}
    news = [vm for vm in listed if vm.vm_id not in known and vm.state is not VmState.GONE]
    if not news:
        return
    shown = Counter(vm.token for vm in listed)
    for intent in memory.intents():
        tokens = {chunk.token: chunk for chunk in intent.chunks}
        bought = [(vm, tokens[vm.token]) for vm in news if vm.token in tokens]
        if bought:
            memory.save(
                intent=_landed(intent, shown),
                vms=[
                    record_of(vm, chunk.pool, intent.intent_id, chunk.sent_at)
                    for vm, chunk in bought
                ],
            )
            news = [vm for vm in news if vm.token not in tokens]
    wanted = memory.adoptions()
    adopted = [
        record_of(vm, vm.pool, "", None)
        for vm in news
        if vm.vm_id in wanted and vm.pool is not None
    ]
    if adopted:
        memory.save(vms=[replace(r, ready_at=r.ordered_at) for r in adopted])


def take_back(memory: DriverMemory, listed: Iterable[CloudVm]) -> None:
    """A VM that we took for gone and that the cloud lists again is ours as before: the list had a hole, or
    somebody stopped and started it. What it drained for may be over; then it serves."""
    alive = {vm.vm_id for vm in listed if vm.state is not VmState.GONE}
    back = [r for r in memory.vms() if r.gone_at is not None and r.vm_id in alive]
    if not back:
        return
    leaving = {vm for i in memory.intents() if not i.closed for vm in i.releases}
    memory.save(
        vms=[
            replace(
                record,
                gone_at=None,
                broken=False,
                draining_since=record.draining_since if record.vm_id in leaving else None,
            )
            for record in back
        ]
    )
    for record in back:
        say(_log, "vm_came_back", level=logging.WARNING, vm=record.vm_id, pool=record.pool)


def follow_tags(
    memory: DriverMemory, listed: Iterable[CloudVm], now: datetime, patience: Patience
) -> None:
    """A VM whose tags name another pool than its record is in that pool: it was redeployed after the copy of
    this journal was made that was put back. Records of VMs that we are busy with ourselves stand, and so do
    those that the cloud's list may lag behind."""
    tags = {vm.vm_id: vm.pool for vm in listed if vm.state is not VmState.GONE}
    followed = []
    for record in memory.vms():
        pool = tags.get(record.vm_id)
        if pool in (None, record.pool) or _is_ours_to_say(record, now, patience):
            continue
        say(
            _log,
            "vm_found_in_another_pool",
            level=logging.WARNING,
            vm=record.vm_id,
            pool=pool,
            before=record.pool,
        )
        # Nobody here ordered that start: it is measured from now on, and is no lead time.
        followed.append(replace(record, pool=pool, intent_id="", ordered_at=now, ready_at=None))
    if followed:
        memory.save(vms=followed)


def check_all_known(pools: Collection[PoolKey], survey: Survey) -> None:
    """Raises DriverUnavailable while VMs that are not in our records stand in the pools.

    `claim` has taken every VM of our own purchases by then. The others may be the very replicas that seem
    to be missing: bought by another agent of this region, or under a journal that was lost or restored.
    """
    unknown = sorted(vm.vm_id for vm in survey.unknown if vm.pool in pools)
    if unknown:
        more = len(unknown) - _NAMED
        names = ", ".join(unknown[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise DriverUnavailable(
            f"nothing is bought while VMs that this journal does not know stand in the pool: {names}",
            remedy="adopt them (heliostat agent adopt), or terminate them or remove their heliostat tags; "
            "heliostat fleet get lists all of them",
        )


def _is_ours_to_say(record: VmRecord, now: datetime, patience: Patience) -> bool:
    """True where the record knows better than the VM's tags."""
    drains = record.draining_since is not None  # to be given back, or before its model changes
    over = record.released_at is not None or record.gone_at is not None or record.broken
    lately = record.asked_at is not None and now - record.asked_at <= patience.visibility
    return drains or over or lately or bool(record.operation_id)


def _landed(intent: Intent, shown: Mapping[str, int]) -> Intent:
    """The intent as it is when so many VMs are listed under each token."""
    for chunk in intent.chunks:
        if chunk.state is ChunkState.SENT and shown.get(chunk.token, 0) >= chunk.count:
            intent = with_chunk(intent, replace(chunk, state=ChunkState.LANDED))
    return intent


def record_of(vm: CloudVm, pool: PoolKey, intent_id: str, sent_at: datetime | None) -> VmRecord:
    """The record of a VM that the cloud gave us."""
    return VmRecord(
        vm_id=vm.vm_id,
        pool=pool,
        intent_id=intent_id,
        ordered_at=sent_at or vm.launched_at,
        address=vm.address,
    )
