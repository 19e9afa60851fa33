"""Requests reach a cell: they are dispatched to a replica, held until there is one, or, batch work,
queued until a replica has room."""

from __future__ import annotations

from typing import Any

from simulation.event.admission import has_room, has_room_without_batch
from simulation.event.batch import leave_batch_queue, oldest, take_batch
from simulation.event.calendar import set_due
from simulation.event.compiled import kernel
from simulation.event.layout import BATCH, DECODE, IDLE, NOBODY, cells, replicas, requests
from simulation.event.load import utilisation
from simulation.event.memory import hold, memory_known, wait_in_batch_queue
from simulation.event.outcomes import turn_away
from simulation.event.placing import (
    choose,
    enqueue,
    least_work,
    memory_wanted,
)
from simulation.event.timing import iterations_until, seconds_of

POLL_SECONDS = 1.0
NOT_POLLED = float("inf")


@kernel
def arrive(world: Any, key: Any, cell: int, request: int, at: float) -> None:
    """A request reaches the cell."""
    place, asked = cells(world, cell), requests(world, request)
    if place.ready > 0 and memory_known(asked) > place.most_memory:
        turn_away(world, request, at)
        return
    if asked.tier == BATCH and world.admits_batch and not asked.promoted:
        if not _taken_at_once(world, key, cell, request, at):
            wait_in_batch_queue(world, cell, request)
        return
    if place.ready == 0:
        hold(world, cell, request)
        return
    slot = choose(world, cell, request, at)
    enqueue(world, key, cell, slot, request, at)
    _nudge(world, cell, slot, at)


@kernel
def release_held(world: Any, key: Any, cell: int, at: float) -> None:
    """Dispatch those that were held for lack of a replica."""
    place = cells(world, cell)
    request = place.held_head
    place.held_head = place.held_tail = NOBODY
    while request >= 0:
        following = requests(world, request).next
        arrive(world, key, cell, request, at)
        request = following


@kernel
def poll(world: Any, key: Any, cell: int, at: float) -> None:
    """Promote batch work that waited too long, and offer the rest to every replica."""
    place = cells(world, cell)
    while place.ready > 0:
        request = oldest(world, cell, at)
        if request < 0 or not _is_due(world, place, request, at):
            break
        leave_batch_queue(world, cell)
        requests(world, request).promoted = 1
        arrive(world, key, cell, request, at)
    for slot in range(place.base, place.base + place.slots):
        if place.batch_queue < 0:
            break
        take_batch(world, key, cell, slot, at)
        if replicas(world, slot).waiting > 0:
            _nudge(world, cell, slot, at)
    place.poll = at + POLL_SECONDS if place.batch_queue >= 0 else NOT_POLLED


@kernel
def _is_due(world: Any, place: Any, request: int, at: float) -> bool:
    """Has batch work waited for long enough to be dispatched like an interactive request, or can
    none of the replicas that are left hold it?"""
    asked = requests(world, request)
    waited = at - asked.arrival - asked.joined_after
    return bool(waited >= world.promoted_after or memory_known(asked) > place.most_memory)


@kernel
def _taken_at_once(world: Any, key: Any, cell: int, request: int, at: float) -> bool:
    """Batch work arrives where nobody waits before it, and a replica has room."""
    place = cells(world, cell)
    if place.batch_queue >= 0 or place.ready == 0:
        return False
    slot = least_work(world, place)
    replica = replicas(world, slot)
    if utilisation(replica, at) >= world.one_below:
        return False
    if memory_wanted(world, cell, request) > replica.memory:
        return False
    enqueue(world, key, cell, slot, request, at)
    _nudge(world, cell, slot, at)
    return True


@kernel
def _nudge(world: Any, cell: int, slot: int, at: float) -> None:
    """Somebody came to wait: an idle replica begins now, one that decodes stops at its next boundary
    when there is room."""
    place, replica = cells(world, cell), replicas(world, slot)
    if replica.phase == IDLE:
        set_due(world, place, slot, at)
    elif replica.phase == DECODE and _is_let_in_next(world, replica):
        n = iterations_until(replica, at)
        if n < replica.iterations:
            replica.iterations = n
            set_due(world, place, slot, replica.clock + seconds_of(replica, n))


@kernel
def _is_let_in_next(world: Any, replica: Any) -> bool:
    if replica.queue < 0:
        return False
    first = requests(world, replica.queue)
    if has_room(replica, first):
        return True
    return bool(world.evicts_batch and has_room_without_batch(replica, first))
