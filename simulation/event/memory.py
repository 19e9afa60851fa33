"""Preemption and eviction of running sequences, when memory is full or batch work is in the way.

The one that was admitted last goes first. Recomputed, it drops its memory and is prefilled again with
what it had generated; swapped, its memory waits in the host of that VM, and copying it stalls the replica.
A swapped sequence that goes on at another VM is recomputed there.
"""

from __future__ import annotations

import math
from typing import Any

from simulation.event.calendar import end_at, iteration_of, remove_end, request_of
from simulation.event.compiled import kernel
from simulation.event.counting import count_waiting
from simulation.event.layout import (
    BATCH,
    BLOCK_SLACK_TOKENS,
    NOBODY,
    SERVING,
    absences,
    cells,
    demands,
    replicas,
    requests,
    work,
)
from simulation.event.queues import push


@kernel
def free_tokens(replica: Any) -> float:
    """Tokens of memory that no sequence holds."""
    return float(replica.memory - replica.held_tokens - BLOCK_SLACK_TOKENS * replica.held)


@kernel
def memory_known(asked: Any) -> int:
    """Tokens of memory without which a replica cannot generate the request's next token."""
    return int(asked.input + asked.done + 1 + math.ceil(BLOCK_SLACK_TOKENS))


@kernel
def make_room_to_go_on(world: Any, cell: int, slot: int) -> float:
    """Let sequences give way until those that decode have room for a token each.

    Returns the seconds that copying takes, −1 when nobody had to give way.
    """
    replica = replicas(world, slot)
    stall = -1.0
    while replica.running > 0 and free_tokens(replica) < replica.running:
        if replica.prompts_tail >= 0:
            request = _drop_last_prompt(world, slot)
            seconds = 0.0
        else:
            place = last_admitted(world, slot, False)
            request, seconds = _stop(world, slot, place)
        demands(world, requests(world, request).demand).preempted += 1
        wait_again(world, cell, slot, request)
        stall = max(stall, 0.0) + seconds
    return stall


@kernel
def evict_last_batch(world: Any, cell: int, slot: int) -> float:
    """Send the batch sequence that was admitted last back to where its cell keeps batch work, or has
    it dispatched anew; returns the seconds that copying takes."""
    place = last_admitted(world, slot, True)
    request, seconds = _stop(world, slot, place)
    demands(world, requests(world, request).demand).evicted += 1
    part_with(world, slot, request)
    if world.admits_batch:
        wait_in_batch_queue(world, cell, request)
    else:
        hold(world, cell, request)
    return float(seconds)


@kernel
def last_admitted(world: Any, slot: int, batch: bool) -> int:
    """The place among the replica's ends of who decodes and came last; of batch work only, if asked."""
    replica = replicas(world, slot)
    found, latest = NOBODY, -1
    for place in range(replica.running):
        sequence = requests(world, request_of(end_at(world, slot, place)))
        if sequence.mark > latest and (not batch or sequence.tier == BATCH):
            found, latest = place, sequence.mark
    return found


@kernel
def wait_again(world: Any, cell: int, slot: int, request: int) -> None:
    """Let who gave way queue where it ran, in its old place. On a replica that drains, or whose memory
    it has outgrown, nowhere yet."""
    replica, asked = replicas(world, slot), requests(world, request)
    if replica.standing != SERVING or memory_known(asked) > replica.memory:
        part_with(world, slot, request)
        hold(world, cell, request)
        return
    if not asked.swapped:
        work(world)[slot] += (asked.input + asked.done) * replica.prefill_token
        replica.waiting_tokens += asked.input + asked.done
    replica.queue = push(world, replica.queue, request)
    replica.waiting += 1
    count_waiting(world, cell, request, 1)


@kernel
def wait_in_batch_queue(world: Any, cell: int, request: int) -> None:
    """Batch work queues for its cell, the oldest first."""
    asked, place = requests(world, request), cells(world, cell)
    asked.key = asked.arrival + asked.joined_after
    place.batch_queue = push(world, place.batch_queue, request)
    place.batch_waiting += 1
    count_waiting(world, cell, request, 1)


@kernel
def hold(world: Any, cell: int, request: int) -> None:
    """Keep a request at its cell until some replica can be found for it."""
    place = cells(world, cell)
    requests(world, request).next = NOBODY
    if place.held_head < 0:
        place.held_head = request
    else:
        requests(world, place.held_tail).next = request
    place.held_tail = request


@kernel
def part_with(world: Any, slot: int, request: int) -> None:
    """Nothing more is expected of a request at the replica where it waited or ran."""
    replica, asked = replicas(world, slot), requests(world, request)
    work(world)[slot] -= asked.estimate
    replica.prompts -= asked.input
    replica.expected -= asked.estimate / replica.output_seconds


@kernel
def let_go(replica: Any, asked: Any, tokens: int) -> None:
    """A sequence holds memory no more."""
    replica.held -= 1
    replica.held_tokens -= tokens
    if asked.tier == BATCH:
        replica.held_batch -= 1
    elif asked.tier == 0:
        replica.held_fast -= 1
    else:
        replica.held_normal -= 1


@kernel
def _stop(world: Any, slot: int, place: int) -> tuple[int, float]:
    """Stop the sequence whose end is at that place; returns it, and the seconds that copying takes."""
    replica = replicas(world, slot)
    end = end_at(world, slot, place)
    request = request_of(end)
    asked = requests(world, request)
    asked.done = asked.output - (iteration_of(end) - replica.iteration)
    tokens = asked.input + asked.done
    remove_end(world, slot, replica.running, place)
    replica.running -= 1
    replica.context -= tokens
    if asked.tier == BATCH:
        replica.running_batch -= 1
        replica.batch_tokens -= tokens
    let_go(replica, asked, tokens)
    asked.swapped = 1 if world.swaps else 0
    absence = absences(world, request)
    absence.keeper, absence.since = replica.number, replica.clock
    return request, float(tokens * replica.copy_seconds if world.swaps else 0.0)


@kernel
def _drop_last_prompt(world: Any, slot: int) -> int:
    """Take the last prompt out of the list of those being prefilled; what was done of it is lost."""
    replica = replicas(world, slot)
    last, before = replica.prompts_tail, NOBODY
    tokens = requests(world, last).input + requests(world, last).done
    if replica.prompts_head == last:
        replica.prompt_tokens -= tokens - replica.head_done
        replica.head_done = 0
        replica.prompts_head = NOBODY
    else:
        before = replica.prompts_head
        while requests(world, before).next != last:
            before = requests(world, before).next
        requests(world, before).next = NOBODY
        replica.prompt_tokens -= tokens
    replica.prompts_tail = before
    absences(world, last).since = replica.clock
    work(world)[slot] -= tokens * replica.prefill_token
    let_go(replica, requests(world, last), tokens + 1)
    return int(last)
