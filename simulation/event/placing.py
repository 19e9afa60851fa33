"""Which replica of a cell gets a request, and how the request waits there."""

from __future__ import annotations

from typing import Any

from simulation.event.admission import has_room, has_room_without_batch, key_of, tokens_to_prefill
from simulation.event.best_fit import (
    freest,
    fullest_by_memory,
    fullest_that_fits,
    predicted_output,
    start_limit,
)
from simulation.event.chance import FIRST_DISPATCH_STREAM, chance
from simulation.event.compiled import kernel
from simulation.event.counting import count_waiting
from simulation.event.layout import (
    BATCH,
    BLOCK_TOKENS,
    NOBODY,
    SERVING,
    TIERS,
    absences,
    cells,
    expected_output,
    replicas,
    requests,
    work,
)
from simulation.event.memory import memory_known
from simulation.event.queues import push

LEAST_WORK, PACK, POWER_OF_TWO, RANDOM, ROUND_ROBIN = 0, 1, 2, 3, 4
BEST_FIT, KV_BEST_FIT, FREENESS = 5, 6, 7


@kernel
def choose(world: Any, cell: int, request: int, at: float) -> int:
    """The slot of the replica that gets the request; −1 when none of the cell's has the memory."""
    place, asked = cells(world, cell), requests(world, request)
    wanted = memory_wanted(world, cell, request)
    if wanted > place.least_memory:
        return least_work_that_holds(world, place, wanted)
    if world.dispatch == PACK:
        return _fullest_with_room(world, place, asked)
    if world.dispatch == POWER_OF_TWO:
        one, other = _drawn(world, cell), _drawn(world, cell)
        return one if work(world)[one] <= work(world)[other] else other
    if world.dispatch == RANDOM:
        return _drawn(world, cell)
    if world.dispatch == ROUND_ROBIN:
        return _next_in_turn(world, place)
    found = NOBODY
    if world.dispatch == BEST_FIT:
        found = fullest_that_fits(world, cell, request, at)
    elif world.dispatch == KV_BEST_FIT:
        found = fullest_by_memory(world, cell, request)
    elif world.dispatch == FREENESS:
        found = freest(world, cell)
    return found if found >= 0 else least_work(world, place)


@kernel
def memory_wanted(world: Any, cell: int, request: int) -> int:
    """Tokens of memory that a replica must have to get the request: for its prompt, what it generated so
    far and, as far as any replica has so much, the rest of the output that is expected of it."""
    place, asked = cells(world, cell), requests(world, request)
    known = memory_known(asked)
    if place.least_memory == place.most_memory:
        return known
    foreseen = asked.input + int(output_expected(world, cell, request)) + BLOCK_TOKENS
    return int(max(known, min(foreseen, place.most_memory)))


@kernel
def output_expected(world: Any, cell: int, request: int) -> float:
    """Output tokens that dispatch expects of a request; nobody knows how many there will be."""
    if world.predicts:
        return predicted_output(world, cell, request)
    tier = cell * TIERS + requests(world, request).tier
    return float(expected_output(world)[2 * tier])


@kernel
def least_work(world: Any, place: Any) -> int:
    """Who has least to do; those that take no requests have no end of it."""
    load = work(world)
    found, least = NOBODY, float("inf")
    for slot in range(place.base, place.base + place.used):
        one = load[slot]
        found = slot if one < least else found
        least = min(one, least)
    return found


@kernel
def least_work_that_holds(world: Any, place: Any, tokens: int) -> int:
    """The same, of those with so much memory."""
    load = work(world)
    found, least = NOBODY, float("inf")
    for slot in range(place.base, place.base + place.used):
        if load[slot] < least and replicas(world, slot).memory >= tokens:
            found, least = slot, load[slot]
    return found


@kernel
def enqueue(world: Any, key: Any, cell: int, slot: int, request: int, at: float) -> None:
    """Let a request wait at a replica, in its order. Memory that another VM's host keeps is lost to it."""
    replica, asked = replicas(world, slot), requests(world, request)
    if asked.swapped and absences(world, request).keeper != replica.number:
        asked.swapped = 0
    tokens = output_expected(world, cell, request)
    asked.estimate = tokens * replica.output_seconds
    asked.key = key_of(world, key, cell, request, at)
    replica.queue = push(world, replica.queue, request)
    replica.waiting += 1
    prompt = tokens_to_prefill(asked) * replica.prefill_token
    work(world)[slot] += prompt + asked.estimate
    replica.prompts += asked.input
    replica.expected += asked.estimate / replica.output_seconds
    replica.waiting_tokens += tokens_to_prefill(asked)
    if world.predicts:
        limit = start_limit(world, cell, asked)
        replica.first_due = limit if replica.waiting == 1 else min(limit, replica.first_due)
    count_waiting(world, cell, request, 1)


@kernel
def _fullest_with_room(world: Any, place: Any, asked: Any) -> int:
    """The replica with most sequences that can begin this one at its next boundary; where batch work
    gives way it takes no room. Without any, who has least to do."""
    found, most = NOBODY, -1
    for slot in range(place.base, place.base + place.used):
        replica = replicas(world, slot)
        if replica.standing != SERVING or replica.waiting > 0:
            continue
        held = replica.held
        fits = has_room(replica, asked)
        if world.evicts_batch and asked.tier != BATCH:
            held -= replica.held_batch
            fits = fits or has_room_without_batch(replica, asked)
        if fits and held > most:
            found, most = slot, held
    return found if found >= 0 else least_work(world, place)


@kernel
def _drawn(world: Any, cell: int) -> int:
    """A replica by chance."""
    place = cells(world, cell)
    place.draws += 1
    skip = int(chance(world, FIRST_DISPATCH_STREAM + cell, place.draws) * place.ready)
    for slot in range(place.base, place.base + place.used):
        if replicas(world, slot).standing == SERVING:
            if skip == 0:
                return slot
            skip -= 1
    return NOBODY


@kernel
def _next_in_turn(world: Any, place: Any) -> int:
    for _ in range(place.used):
        place.rotation = (place.rotation + 1) % place.used
        slot = place.base + place.rotation
        if replicas(world, slot).standing == SERVING:
            return int(slot)
    return NOBODY
