"""What befalls replicas: they become ready, drain, are gone, or fail."""

from __future__ import annotations

from typing import Any

from simulation.event.admission import leave_queue
from simulation.event.calendar import end_at, request_of, set_due
from simulation.event.compiled import kernel
from simulation.event.counting import offer
from simulation.event.layout import (
    BECOMES_READY,
    DRAINING,
    DRAINS,
    FAILS,
    IDLE,
    LEAVING,
    NOBODY,
    OFF,
    SERVING,
    cells,
    replicas,
    requests,
    work,
)
from simulation.event.load import work_under_way
from simulation.event.memory import hold
from simulation.event.outcomes import lose

_FOREVER = float("inf")
_MOST_TOKENS = 2**31 - 1


@kernel
def befall(world: Any, key: Any, cell: int, change: Any, at: float) -> None:
    """Let one change happen to the replica in its slot."""
    slot = change.slot
    replica, place = replicas(world, slot), cells(world, cell)
    if change.what == BECOMES_READY:
        replica.standing, replica.phase, replica.clock = SERVING, IDLE, at
        replica.seen = replica.seen_before = replica.busy
        replica.seen_at = replica.seen_before_at = at
        work(world)[slot] = 0.0
    elif replica.standing == OFF:
        return
    elif change.what == FAILS:
        _fail(world, cell, slot, at)
    elif change.what == DRAINS:
        replica.standing = DRAINING
        _send_on(world, cell, slot)
    else:
        _send_on(world, cell, slot)
        replica.standing = OFF if replica.phase == IDLE else LEAVING
    _take_stock(world, place)


@kernel
def _send_on(world: Any, cell: int, slot: int) -> None:
    """The replica takes no more: who waits at it looks for another."""
    replica = replicas(world, slot)
    while replica.waiting > 0:
        hold(world, cell, leave_queue(world, cell, slot))
    work(world)[slot] = _FOREVER


@kernel
def _fail(world: Any, cell: int, slot: int, at: float) -> None:
    """Everything that waited, was prefilled or decoded there is lost; the work was done all the same."""
    replica = replicas(world, slot)
    replica.busy += work_under_way(replica, at)
    while replica.waiting > 0:
        _lose(world, cell, leave_queue(world, cell, slot), at)
    while replica.prompts_head >= 0:
        request = replica.prompts_head
        replica.prompts_head = requests(world, request).next
        _lose(world, cell, request, at)
    for place in range(replica.running):
        _lose(world, cell, request_of(end_at(world, slot, place)), at)
    replica.standing, replica.phase = OFF, IDLE
    replica.prompts_tail = NOBODY
    replica.prompt_tokens = replica.head_done = 0
    replica.held = replica.held_fast = replica.held_normal = replica.held_batch = 0
    replica.running = replica.running_batch = 0
    replica.held_tokens = replica.context = replica.batch_tokens = 0
    work(world)[slot] = _FOREVER
    set_due(world, cells(world, cell), slot, _FOREVER)


@kernel
def _lose(world: Any, cell: int, request: int, at: float) -> None:
    if lose(world, request, at):
        offer(world, cells(world, cell).region, request)
        hold(world, cell, request)


@kernel
def _take_stock(world: Any, place: Any) -> None:
    """How many take requests, and the least and the most memory that one of them has."""
    place.ready = place.used = place.most_memory = 0
    place.least_memory = _MOST_TOKENS
    for slot in range(place.base, place.base + place.slots):
        replica = replicas(world, slot)
        if replica.standing == SERVING:
            place.ready += 1
            place.used = slot + 1 - place.base
            place.least_memory = min(place.least_memory, int(replica.memory))
            place.most_memory = max(place.most_memory, int(replica.memory))
