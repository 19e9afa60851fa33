"""From an order and what stands to an intent: which chunks to buy, which VMs to give back or to change.

Pure: it is worked out once per command, written down, and only then acted upon.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from heliostat.model.command import Command, RedeployOrder
from heliostat.model.instants import to_epoch
from heliostat.model.names import PoolKey
from services.agent.drivers.vm.memory import Chunk, ChunkState, Intent, VmRecord
from services.agent.drivers.vm.survey import Sighting, Stage, Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An intent, and the records of the VMs that it marks as draining."""

    intent: Intent
    marked: tuple[VmRecord, ...] = ()


def intent_id_of(command: Command) -> str:
    """Names the command across databases: its id and the second in which it was created."""
    return f"{command.command_id}@{to_epoch(command.created_at)}"


def under_way(intents: Iterable[Intent]) -> Mapping[PoolKey, int]:
    """VMs per pool that open intents have yet to obtain, and that must not be bought again."""
    coming: Counter[PoolKey] = Counter()
    for intent in intents:
        if not intent.closed:
            for chunk in intent.waiting:
                coming[chunk.pool] += chunk.count
    return coming


def intend(
    command: Command,
    survey: Survey,
    *,
    coming: Mapping[PoolKey, int],
    chunk_size: int,
    new_token: Callable[[], str],
) -> Plan:
    """What the command means for the VMs that stand now; `coming` is `under_way` of all others: it is not
    bought again, and replaces nothing before it stands."""
    moves = _moves(command, survey)
    moved = {s.record.vm_id for s in moves}
    chunks: list[Chunk] = []
    releases: list[Sighting] = []
    for pool, target in command.order.targets:
        standing = [s for s in survey.standing(pool) if s.record.vm_id not in moved]
        arriving = len(moves) if _is_destination(command, pool) else 0
        lacking = target - len(standing) - arriving
        missing = lacking - coming.get(pool, 0)
        chunks += purchases(pool, missing, chunk_size=chunk_size, new_token=new_token)
        spare = [s for s in spare_first(standing) if s.record.moving_to is None]
        releases += spare[: max(0, -lacking)]  # what only may be coming is no reason to let go
        releases += [s for s in survey.ours if s.stage is Stage.FAILED and s.counts_for == pool]
    name, to = intent_id_of(command), _destination(command)
    marked = [replace(s.record, draining_since=survey.at) for s in releases] + [
        replace(s.record, draining_since=survey.at, moving_to=to, asked_at=None, intent_id=name)
        for s in moves
    ]
    intent = Intent(
        intent_id=name,
        command_id=command.command_id,
        targets=command.order.targets,
        chunks=tuple(chunks),
        releases=tuple(s.record.vm_id for s in releases),
        moves=tuple(s.record.vm_id for s in moves),
    )
    return Plan(intent=intent, marked=tuple(marked))


def purchases(
    pool: PoolKey, missing: int, *, chunk_size: int, new_token: Callable[[], str]
) -> list[Chunk]:
    """The missing VMs in chunks, each under a token of its own; none when nothing is missing."""
    return [
        Chunk(token=new_token(), pool=pool, count=min(chunk_size, missing - bought))
        for bought in range(0, max(0, missing), chunk_size)
    ]


def spare_first(standing: Iterable[Sighting]) -> list[Sighting]:
    """In which order VMs may go: those that do not serve yet, then the least loaded, then the newest."""
    newest_first = sorted(standing, key=lambda s: s.record.ordered_at, reverse=True)
    return sorted(newest_first, key=lambda s: (s.stage is Stage.READY, _load(s)))


def with_chunk(intent: Intent, chunk: Chunk) -> Intent:
    """The intent with one of its chunks replaced by a newer form."""
    return replace(
        intent,
        chunks=tuple(chunk if old.token == chunk.token else old for old in intent.chunks),
    )


def without(intent: Intent, *states: ChunkState) -> Intent:
    """The intent with its chunks in these states dropped: they will not be asked for any more."""
    chunks = tuple(
        replace(chunk, state=ChunkState.DROPPED) if chunk.state in states else chunk
        for chunk in intent.chunks
    )
    return replace(intent, chunks=chunks)


def still_lacking(intent: Intent, survey: Survey, coming: Mapping[PoolKey, int]) -> Intent:
    """The intent with its planned purchases cut to what its pools lack by now: VMs that were adopted, or
    came back, since it was worked out are not bought again. `coming` is `under_way` of all others."""
    for pool, target in intent.targets:
        waiting = [chunk for chunk in intent.waiting if chunk.pool == pool]
        in_doubt = sum(chunk.count for chunk in waiting if chunk.state is ChunkState.SENT)
        lacking = target - len(survey.standing(pool)) - coming.get(pool, 0) - in_doubt
        for chunk in waiting:
            if chunk.state is not ChunkState.PLANNED:
                continue
            count = min(chunk.count, max(0, lacking))
            lacking -= count
            if not count:
                intent = with_chunk(intent, replace(chunk, state=ChunkState.DROPPED))
            elif count < chunk.count:
                intent = with_chunk(intent, replace(chunk, count=count))
    return intent


def sent(intent: Intent, chunk: Chunk, now: datetime) -> tuple[Intent, Chunk]:
    """The chunk as it must be written down before the cloud is asked: from here it is in doubt."""
    going = replace(chunk, state=ChunkState.SENT, sent_at=chunk.sent_at or now)
    return with_chunk(intent, going), going


def _moves(command: Command, survey: Survey) -> Sequence[Sighting]:
    if not isinstance(command.order, RedeployOrder):
        return ()
    order = command.order
    source = survey.standing(order.source)
    missing = order.destination_target - len(survey.standing(order.destination))
    spare = len(source) - order.source_target
    ready = [s for s in spare_first(source) if s.stage is Stage.READY]
    return ready[: max(0, min(missing, spare))]


def _destination(command: Command) -> PoolKey | None:
    return command.order.destination if isinstance(command.order, RedeployOrder) else None


def _is_destination(command: Command, pool: PoolKey) -> bool:
    return pool == _destination(command)


def _load(sighting: Sighting) -> int:
    """Requests in flight; an engine that does not say counts as loaded."""
    in_flight = sighting.reading.in_flight if sighting.reading is not None else None
    return 1_000_000 if in_flight is None else in_flight
