"""What pools show at an instant, and when a draining replica will be done."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulation.event.calendar import end_at, iteration_of, request_of
from simulation.event.compiled import kernel
from simulation.event.layout import (
    BLOCK_SLACK_TOKENS,
    DECODE,
    IDLE,
    OFF,
    PREFILL,
    SERVING,
    demands,
    due,
    replicas,
    requests,
)
from simulation.event.load import work_under_way
from simulation.event.promises import promise_of
from simulation.event.timing import prompt_seconds

WORK, READY, RUNNING, WAITING, MEMORY_SHARE, BUSY_SHARE, DELAY, INTERACTIVE, RUNNING_BATCH = range(
    9
)
COLUMNS = 9
"""Of a pool's gauge. WORK are replica-seconds since the beginning, of all its replicas; the others
are sums over those that serve: of counts, of shares, and DELAY of how long the first in the queue has
waited ÷ its promise."""


@kernel
def read_gauges(world: Any, at: float, found: Any) -> None:
    """Fill a (pools, COLUMNS) array."""
    found[:] = 0.0
    for slot in range(world.replicas_size):
        replica = replicas(world, slot)
        pool = found[replica.pool]
        done = replica.busy + work_under_way(replica, at)
        pool[WORK] += done
        if replica.standing != SERVING:
            continue
        pool[READY] += 1
        pool[RUNNING] += replica.held
        pool[WAITING] += replica.waiting
        pool[MEMORY_SHARE] += _memory_share(replica, at)
        if at > replica.seen_before_at:
            pool[BUSY_SHARE] += (done - replica.seen_before) / (at - replica.seen_before_at)
        if replica.queue >= 0:
            first = requests(world, replica.queue)
            promise = promise_of(demands(world, first.demand), first.input)
            pool[DELAY] += (at - first.arrival - first.joined_after) / promise
        pool[INTERACTIVE] += 1 if replica.held > replica.held_batch else 0
        pool[RUNNING_BATCH] += replica.held_batch
        replica.seen_before, replica.seen_before_at = replica.seen, replica.seen_at
        replica.seen, replica.seen_at = done, at


@kernel
def drained_at(world: Any, slot: int, at: float) -> float:
    """When everything that runs on a replica has ended if nobody else is let in; at the latest, but
    for sequences that give way and then run elsewhere."""
    replica = replicas(world, slot)
    if replica.standing == OFF or replica.held == 0:
        return at
    last = np.empty(replica.held, np.int64)
    tokens = np.empty(replica.held, np.int64)
    count = 0
    for place in range(replica.running):
        end = end_at(world, slot, place)
        one = requests(world, request_of(end))
        last[count] = iteration_of(end) - replica.iteration
        tokens[count] = one.input + one.output
        count += 1
    clock = replica.clock if replica.phase == DECODE else due(world)[slot]
    if replica.phase != DECODE and replica.phase != PREFILL and replica.phase != IDLE:
        clock += prompt_seconds(replica, replica.prompt_tokens) + replica.prefill_base
    request = replica.prompts_head
    while request >= 0:
        one = requests(world, request)
        last[count] = max(0, one.output - one.done - (0 if one.swapped else 1))
        if world.chunked:
            last[count] += 1 + replica.prompt_tokens // max(1, world.chunk - replica.running)
        tokens[count] = one.input + one.output
        count += 1
        request = one.next
    return _run_down(replica, clock, last[:count], tokens[:count])


@kernel
def _run_down(replica: Any, clock: float, last: Any, tokens: Any) -> float:
    """When sequences end that have so many iterations left, and so many tokens at their end."""
    order = np.argsort(last)
    running = len(last)
    context = 0.0
    for place in range(running):
        context += tokens[place] - last[place]
    passed = 0
    for place in order:
        n = float(last[place] - passed)
        each = replica.decode_base + replica.decode_sequence * running
        each += replica.decode_token * context
        clock += n * each + replica.decode_token * running * n * (n - 1.0) * 0.5
        context += n * running - tokens[place]
        running -= 1
        passed = last[place]
    return float(clock)


@kernel
def _memory_share(replica: Any, at: float) -> float:
    """The share of memory that is held, the tokens of iterations under way included."""
    held = float(replica.held_tokens + BLOCK_SLACK_TOKENS * replica.held)
    if replica.phase == DECODE and at > replica.clock:
        held += (at - replica.clock) / replica.first_seconds * replica.running
    return float(min(1.0, held / replica.memory))
