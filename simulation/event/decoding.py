"""Plain decoding: how far a replica goes on undisturbed, the end of a sequence, and idleness."""

from __future__ import annotations

from typing import Any

from simulation.event.calendar import end_at, iteration_of, remove_end, set_due
from simulation.event.compiled import kernel
from simulation.event.layout import (
    BATCH,
    DECODE,
    IDLE,
    LEAVING,
    OFF,
    SERVING,
    cells,
    replicas,
    requests,
    work,
)
from simulation.event.memory import free_tokens, let_go, part_with
from simulation.event.outcomes import finish
from simulation.event.timing import iterations_until, seconds_of

_FOREVER = float("inf")


@kernel
def begin_decoding(world: Any, cell: int, slot: int, at: float) -> None:
    """Decode until the first ends, memory is full or the controller's clock ticks; or stand idle."""
    place, replica = cells(world, cell), replicas(world, slot)
    if replica.running == 0:
        _stand_idle(world, place, slot, at)
        return
    replica.phase = DECODE
    replica.clock = at
    replica.first_seconds = (
        replica.decode_base
        + replica.decode_sequence * replica.running
        + replica.decode_token * replica.context
    )
    replica.growth_seconds = replica.decode_token * replica.running
    n = iterations_possible(world, slot)
    if world.controls:
        n = min(n, max(1, iterations_until(replica, replica.tick)))
    replica.iterations = n
    set_due(world, place, slot, at + seconds_of(replica, n))


@kernel
def iterations_possible(world: Any, slot: int) -> int:
    """Until the next sequence ends or memory is full."""
    replica = replicas(world, slot)
    first = end_at(world, slot, 0)
    until_end = iteration_of(first) - replica.iteration
    return min(int(until_end), int(free_tokens(replica) / replica.running))


@kernel
def end_sequence(world: Any, cell: int, slot: int, request: int, at: float) -> None:
    """The first of those that decode has generated its last token."""
    replica, asked = replicas(world, slot), requests(world, request)
    tokens = asked.input + asked.output
    remove_end(world, slot, replica.running, 0)
    replica.running -= 1
    replica.context -= tokens
    if asked.tier == BATCH:
        replica.running_batch -= 1
        replica.batch_tokens -= tokens
    let_go(replica, asked, tokens)
    part_with(world, slot, request)
    finish(world, cell, request, at)


@kernel
def _stand_idle(world: Any, place: Any, slot: int, at: float) -> None:
    replica = replicas(world, slot)
    replica.phase = IDLE
    replica.clock = at
    if replica.standing == LEAVING:
        replica.standing = OFF
    if replica.standing == SERVING and replica.waiting == 0:
        work(world)[slot] = replica.expected = 0.0  # what rounding left
    set_due(world, place, slot, _FOREVER)
