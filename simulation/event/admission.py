"""Admits waiting requests to a replica at an iteration boundary.

Strictly in order: when the first does not fit, nobody behind it does. Who has waited for longer than
its patience is turned away when its turn comes.
"""

from __future__ import annotations

from typing import Any

from simulation.event.calendar import add_end
from simulation.event.compiled import kernel
from simulation.event.counting import count_waiting
from simulation.event.layout import (
    BATCH,
    BLOCK_SLACK_TOKENS,
    NOBODY,
    absences,
    demands,
    replicas,
    requests,
    work,
)
from simulation.event.memory import evict_last_batch, free_tokens, part_with
from simulation.event.outcomes import turn_away
from simulation.event.promises import promise_of
from simulation.event.queues import push, without_first

_RENEWED_EVERY = 1.0


@kernel
def key_of(world: Any, key: Any, cell: int, request: int, at: float) -> float:
    """The request's place in its order, at that instant."""
    asked = requests(world, request)
    tier = 1 if asked.promoted and asked.tier == BATCH else int(asked.tier)
    return float(
        key(
            asked.arrival + asked.joined_after,
            promise_of(demands(world, asked.demand), asked.input),
            tier,
            asked.input,
            float(asked.estimate),
            at,
            world.order_a,
            world.order_b,
        )
    )


@kernel
def tokens_to_prefill(asked: Any) -> int:
    """Prompt tokens, and generated ones whose memory was dropped."""
    return 0 if asked.swapped else int(asked.input + asked.done)


@kernel
def tokens_to_hold(asked: Any) -> int:
    """Memory that it needs when it is let in; a prefill generates a token."""
    return int(asked.input + asked.done + (0 if asked.swapped else 1))


@kernel
def has_room(replica: Any, asked: Any) -> bool:
    """Is there a batch place, and memory beside what those that decode need to go on?"""
    if replica.held >= replica.limit:
        return False
    needed = tokens_to_hold(asked) + BLOCK_SLACK_TOKENS + replica.running
    return bool(free_tokens(replica) >= needed)


@kernel
def has_room_without_batch(replica: Any, asked: Any) -> bool:
    """The same, once all batch work that decodes has given way."""
    if asked.tier == BATCH or replica.running_batch == 0:
        return False
    if replica.held - replica.running_batch >= replica.limit:
        return False
    needed = tokens_to_hold(asked) + BLOCK_SLACK_TOKENS + replica.running - replica.running_batch
    freed = replica.batch_tokens + BLOCK_SLACK_TOKENS * replica.running_batch
    return bool(free_tokens(replica) + freed >= needed)


@kernel
def first_waiting(world: Any, key: Any, cell: int, slot: int, at: float) -> int:
    """Who is next in the replica's queue; turns away those whose patience is at an end."""
    replica = replicas(world, slot)
    if world.timed_order and replica.waiting > 1 and at - replica.renewed >= _RENEWED_EVERY:
        renew(world, key, cell, slot, at)
    while replica.queue >= 0:
        first = replica.queue
        if world.rising_order and fell_behind(world, key, cell, slot, at):
            continue
        if not out_of_patience(world, first, at):
            return int(first)
        leave_queue(world, cell, slot)
        part_with(world, slot, first)
        turn_away(world, first, at)
    return NOBODY


@kernel
def fell_behind(world: Any, key: Any, cell: int, slot: int, at: float) -> bool:
    """Does the first in the queue belong further back by now? Then it is there. Who was served before
    keeps its place."""
    replica = replicas(world, slot)
    first = replica.queue
    if requests(world, first).first_after >= 0.0:
        return False
    now = key_of(world, key, cell, first, at)
    if now <= requests(world, first).key:
        return False
    requests(world, first).key = now
    replica.queue = push(world, without_first(world, first), first)
    return True


@kernel
def out_of_patience(world: Any, request: int, at: float) -> bool:
    """Has it queued for too long? Who was served before never leaves."""
    asked = requests(world, request)
    if asked.first_after >= 0.0:
        return False
    return bool(at - asked.arrival - asked.joined_after > demands(world, asked.demand).patience)


@kernel
def leave_queue(world: Any, cell: int, slot: int) -> int:
    """Take the first out of the replica's queue."""
    replica = replicas(world, slot)
    first = replica.queue
    replica.queue = without_first(world, first)
    replica.waiting -= 1
    asked = requests(world, first)
    work(world)[slot] -= tokens_to_prefill(asked) * replica.prefill_token
    replica.waiting_tokens -= tokens_to_prefill(asked)
    count_waiting(world, cell, first, -1)
    return int(first)


@kernel
def let_in(world: Any, cell: int, slot: int) -> int:
    """Let the first in the queue in: it has a turn, a batch place and memory."""
    first = leave_queue(world, cell, slot)
    replica, asked = replicas(world, slot), requests(world, first)
    work(world)[slot] += tokens_to_prefill(asked) * replica.prefill_token
    replica.turn += 1
    asked.mark = replica.turn
    tokens = tokens_to_hold(asked)
    replica.held += 1
    replica.held_tokens += tokens
    if asked.tier == BATCH:
        replica.held_batch += 1
        absence = absences(world, first)
        absence.seconds += replica.clock - absence.since
    elif asked.tier == 0:
        replica.held_fast += 1
    else:
        replica.held_normal += 1
    return int(first)


@kernel
def make_room(world: Any, cell: int, slot: int, request: int) -> float:
    """Find the request a place; returns the seconds that copying takes, −1 when there is none."""
    replica, asked = replicas(world, slot), requests(world, request)
    if has_room(replica, asked):
        return 0.0
    if not world.evicts_batch or not has_room_without_batch(replica, asked):
        return -1.0
    seconds = 0.0
    while replica.running_batch > 0 and not has_room(replica, asked):
        seconds += evict_last_batch(world, cell, slot)
    return seconds if has_room(replica, asked) else -1.0


@kernel
def start_decoding(world: Any, slot: int, request: int, generated: int) -> None:
    """A sequence that has generated so many tokens decodes from the next iteration on."""
    replica, asked = replicas(world, slot), requests(world, request)
    end = replica.iteration + asked.output - generated
    add_end(world, slot, replica.running, end, request)
    replica.running += 1
    replica.context += asked.input + generated
    if asked.tier == BATCH:
        replica.running_batch += 1
        replica.batch_tokens += asked.input + generated


@kernel
def renew(world: Any, key: Any, cell: int, slot: int, at: float) -> None:
    """Order the queue anew, by what the keys are now."""
    replica = replicas(world, slot)
    taken = NOBODY
    while replica.queue >= 0:
        first = replica.queue
        replica.queue = without_first(world, first)
        requests(world, first).next = taken
        taken = first
    while taken >= 0:
        one = taken
        taken = requests(world, one).next
        requests(world, one).key = key_of(world, key, cell, one, at)
        replica.queue = push(world, replica.queue, one)
    replica.renewed = at
