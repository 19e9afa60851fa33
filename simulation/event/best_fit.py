"""Placement by what replicas hold and promise: Aladdin's best fit, its rows on memory alone, and
Llumnix's freeness. The rules are those of `scheduling.rules`; here are the numbers that they are about.

`simulation.local_policy.Fit` says what the policy knows of output lengths, and how much it leaves unused.
"""

from __future__ import annotations

import math
from typing import Any

from scheduling.rules.fit import fits_memory, meets_gap, meets_ttft, rank, residual
from scheduling.rules.freeness import freeness
from scheduling.rules.lengths import BINS, drawn_to, input_bin
from scheduling.rules.stall import breaks
from scheduling.rules.times import iteration_seconds
from simulation.event.calendar import end_at, iteration_of, request_of
from simulation.event.chance import LENGTH_STREAM, chance
from simulation.event.compiled import kernel
from simulation.event.layout import (
    BATCH,
    BLOCK_SLACK_TOKENS,
    BLOCK_TOKENS,
    DECODE,
    IDLE,
    NOBODY,
    PREFILL,
    SERVING,
    TIERS,
    absences,
    binned_output,
    cells,
    demands,
    due,
    expected_output,
    replicas,
    requests,
    trips,
)
from simulation.event.promises import promise_of
from simulation.event.timing import iterations_until, prompt_seconds

_WEIGHT = 10.0
"""A tier counts in each of its bins as so many requests (`scheduling.lengths.online.Learning`)."""
NO_LIMIT = float("inf")


@kernel
def predicted_output(world: Any, cell: int, request: int) -> float:
    """Output tokens that the policy expects of a request."""
    asked = requests(world, request)
    if world.knows_lengths:
        draw = chance(world, LENGTH_STREAM, int(asked.number))
        said = asked.output * (1.0 + world.length_error * (2.0 * draw - 1.0))
        return float(max(1.0, said))
    tier = cell * TIERS + asked.tier
    learnt, whole = 2 * (tier * BINS + input_bin(asked.input)), expected_output(world)[2 * tier]
    mean, seen = binned_output(world)[learnt], binned_output(world)[learnt + 1]
    return float(max(1.0, drawn_to(mean, seen, whole, _WEIGHT)))


@kernel
def start_limit(world: Any, cell: int, asked: Any) -> float:
    """When the request must have its first token, its way home taken off."""
    demand = demands(world, asked.demand)
    trip = trips(world)[cells(world, cell).region * world.origins + demand.origin]
    promised = promise_of(demand, asked.input)
    return float(asked.arrival + asked.joined_after + promised - trip)


@kernel
def fullest_that_fits(world: Any, cell: int, request: int, at: float) -> int:
    """Aladdin's step 3: of the replicas that break no row the one with the least residual."""
    place, asked = cells(world, cell), requests(world, request)
    demand = demands(world, asked.demand)
    stretch = 1.0 + world.time_margin
    output = predicted_output(world, cell, request)
    waited = at - asked.arrival - asked.joined_after
    ttft = start_limit(world, cell, asked) - at + waited
    found, least = NOBODY, NO_LIMIT
    for slot in range(place.base, place.base + place.used):
        replica = replicas(world, slot)
        sequences = replica.held + replica.waiting + 1
        if replica.standing != SERVING or sequences > replica.limit:
            continue
        peak, room = _peak_with(replica, asked, output), world.memory_share * replica.memory
        if not fits_memory(peak, room):
            continue
        context = replica.prompts + 0.5 * replica.expected
        before = _pace(replica, sequences - 1, context)
        iteration = stretch * _pace(replica, sequences, context + asked.input + 0.5 * output)
        if not meets_gap(iteration, demand.gap):
            continue
        idle = replica.decode_base + replica.decode_sequence
        left = residual(iteration, demand.gap, peak, room)
        left = rank(left, demand.gap, idle, world.spread_beyond)
        if left >= least:
            continue
        boundary = _until_boundary(world, slot, at)
        if not _all_start_in_time(world, slot, asked, at, waited, boundary, stretch, ttft):
            continue
        stall = boundary if replica.phase == PREFILL else 0.0
        stall += _prefill(world, replica, replica.waiting_tokens + asked.input)[1]
        if _absorbed(world, slot, stretch * stall, before, iteration, at):
            found, least = slot, left
    return found


@kernel
def fullest_by_memory(world: Any, cell: int, request: int) -> int:
    """Row (d) alone: the replica with least memory left that holds the request's predicted end too."""
    place, asked = cells(world, cell), requests(world, request)
    output = predicted_output(world, cell, request)
    found, least = NOBODY, NO_LIMIT
    for slot in range(place.base, place.base + place.used):
        replica = replicas(world, slot)
        if replica.standing != SERVING or replica.held + replica.waiting >= replica.limit:
            continue
        peak, room = _peak_with(replica, asked, output), world.memory_share * replica.memory
        if fits_memory(peak, room) and room - peak < least:
            found, least = slot, room - peak
    return found


@kernel
def freest(world: Any, cell: int) -> int:
    """Llumnix's dispatching: the replica with the highest freeness, the lowest slot of several."""
    place = cells(world, cell)
    found, most = NOBODY, -NO_LIMIT
    for slot in range(place.base, place.base + place.used):
        replica = replicas(world, slot)
        if replica.standing != SERVING:
            continue
        used = replica.held_tokens + BLOCK_SLACK_TOKENS * replica.held + replica.waiting_tokens
        free = freeness(float(replica.memory), float(used), float(replica.held + replica.waiting))
        if free > most:
            found, most = slot, free
    return found


@kernel
def _peak_with(replica: Any, asked: Any, output: float) -> float:
    """Tokens of memory at every predicted end at once, the request's among them."""
    tokens = replica.prompts + replica.expected + asked.input + output
    return float(tokens + BLOCK_TOKENS * (replica.held + replica.waiting + 1))


@kernel
def _pace(replica: Any, sequences: int, tokens: float) -> float:
    return iteration_seconds(
        replica.decode_base,
        replica.decode_sequence,
        replica.decode_token,
        float(sequences),
        float(tokens),
    )


@kernel
def _until_boundary(world: Any, slot: int, at: float) -> float:
    """Seconds until the replica can begin another prefill."""
    replica = replicas(world, slot)
    if replica.phase == DECODE:
        return float(replica.first_seconds)
    return 0.0 if replica.phase == IDLE else float(max(0.0, due(world)[slot] - at))


@kernel
def _all_start_in_time(
    world: Any,
    slot: int,
    asked: Any,
    at: float,
    waited: float,
    boundary: float,
    stretch: float,
    ttft: float,
) -> bool:
    """Row (a), for the request and for those who wait and whose whole prompts it joins: they get their
    first tokens together. Who is too late without it binds nobody."""
    replica = replicas(world, slot)
    together = _prefill(world, replica, replica.waiting_tokens + asked.input)[0]
    if not meets_ttft(waited, stretch * boundary, stretch * together, ttft):
        return False
    if world.chunked or replica.waiting == 0:
        return True
    without = _prefill(world, replica, replica.waiting_tokens)[0]
    left = replica.first_due - at
    return bool(left < stretch * (boundary + without) or stretch * (boundary + together) <= left)


@kernel
def _prefill(world: Any, replica: Any, tokens: int) -> tuple[float, float]:
    """Seconds until prompts of so many tokens are read, and for how long that stalls who decodes."""
    seconds = prompt_seconds(replica, tokens)
    if not world.chunked:
        times = math.ceil(tokens / world.most_prefill)
        return seconds + times * replica.prefill_base, seconds + times * replica.prefill_base
    carried = max(1, world.chunk - replica.running)
    each = replica.prefill_base
    if replica.running > 0:
        each = _pace(replica, replica.running, float(replica.context))
    return seconds + math.ceil(tokens / carried) * each, seconds


@kernel
def _absorbed(world: Any, slot: int, stall: float, now: float, then: float, at: float) -> bool:
    """Row (c) at iterations of `then`, for those who decode, or will once they are prefilled, and keep
    their promise at `now`: the first who cannot be stalled so long decides."""
    replica = replicas(world, slot)
    under_way = 0
    if replica.phase == DECODE:
        under_way = min(replica.iterations, max(0, iterations_until(replica, at) - 1))
    for place in range(replica.running):
        end = end_at(world, slot, place)
        one = requests(world, request_of(end))
        generated = one.output - (iteration_of(end) - replica.iteration) + under_way
        # Who generates more than was expected is expected to end with the next token.
        left = max(one.estimate / replica.output_seconds - generated, 1.0) * world.foresight
        gap = demands(world, one.demand).gap
        spent = at - one.arrival - one.first_after - gap * (generated - 1)
        if one.tier == BATCH:  # It promises no gap for the time that it was out of a batch.
            spent -= absences(world, request_of(end)).seconds
        if breaks(gap, left, now, then, spent, stall):
            return False
    request = replica.prompts_head
    while request >= 0:
        one = requests(world, request)
        left = max(one.estimate / replica.output_seconds - 1.0, 1.0) * world.foresight
        if breaks(demands(world, one.demand).gap, left, now, then, 0.0, stall):
            return False
        request = one.next
    return True
