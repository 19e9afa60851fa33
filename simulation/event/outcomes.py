"""What becomes of requests: finished, turned away, lost with their replica; and whether they were kept
their promise, or could have been.

A promise is kept when the first token came in time, the network included, the mean gap between
tokens is small enough, and the last came before the deadline, where there is one. The time that batch work
was out of a batch after its first token is no gap: only its deadline bounds how often it may give way.
"""

from __future__ import annotations

from typing import Any

from heliostat.model.engine import KNEE_TOKENS
from scheduling.rules.lengths import BINS, follow, input_bin
from simulation.event.chance import ATTEMPT_BIT, RETURN_STREAM, chance
from simulation.event.compiled import kernel
from simulation.event.counting import bucket_of, count_latency
from simulation.event.layout import (
    BATCH,
    TIERS,
    absences,
    binned_output,
    cells,
    demands,
    expected_output,
    laws,
    requests,
    trips,
    windows,
)
from simulation.event.promises import promise_of
from simulation.event.queues import push

_MEMORY_OF_OUTPUTS = 1000.0
"""The expected output of a tier is its mean; later it follows slowly, as if of so many requests."""


@kernel
def first_token(world: Any, cell: int, request: int, at: float) -> None:
    """The first token of an attempt was generated. One that comes too late breaks the promise whatever
    follows, also of a request that never ends within the run."""
    asked = requests(world, request)
    demand = demands(world, asked.demand)
    asked.first_after = at - asked.arrival
    if asked.tier == BATCH:
        absences(world, request).seconds = 0.0
    ttft = asked.first_after + trip_of(world, cell, demand)
    if not asked.late and ttft > promise_of(demand, asked.input):
        asked.late = 1
        demand.late += 1
        if reachable(world, asked, demand):
            demand.reachable += 1


@kernel
def trip_of(world: Any, cell: int, demand: Any) -> float:
    """Seconds from the demand's users to the cell and back."""
    return float(trips(world)[cells(world, cell).region * world.origins + demand.origin])


@kernel
def finish(world: Any, cell: int, request: int, at: float) -> None:
    """The last token was generated."""
    asked = requests(world, request)
    demand = demands(world, asked.demand)
    trip = trip_of(world, cell, demand)
    stay = at - asked.arrival
    ttft = asked.first_after + trip
    e2e = stay + trip
    decoding = stay - asked.first_after
    if asked.tier == BATCH:
        decoding -= absences(world, request).seconds
    gap = decoding / max(1, asked.output - 1)
    demand.completed += 1
    demand.output += asked.output
    if asked.late:
        demand.late -= 1
    elif gap <= demand.gap and e2e <= demand.finish:
        demand.met += 1
        demand.reachable += 1
    elif reachable(world, asked, demand):
        demand.reachable += 1
    _record(world, asked, demand.tier, ttft, gap, e2e)
    _learn(world, cell, demand.tier, asked)
    window = windows(world, asked.window)
    window.completed += 1
    window.output += asked.output
    window.open -= 1
    window.changed = 1
    forget(world, request)


@kernel
def turn_away(world: Any, request: int, at: float) -> None:
    """Refuse an attempt: its client comes back, in the next step at the earliest, or it is shed."""
    asked = requests(world, request)
    window = windows(world, asked.window)
    window.rejected += 1
    window.open -= 1
    window.changed = 1
    refused = int(asked.attempt - asked.lost)
    if refused < world.retries and _comes_back(world, asked):
        asked.attempt += 1
        back_off = world.back_off * world.growth**refused
        asked.key = max(at + back_off, world.step_end)
        restart(asked, asked.key)
        world.returning = push(world, world.returning, request)
        return
    _shed(world, request)


@kernel
def lose(world: Any, request: int, at: float) -> bool:
    """A replica took the request with it. True when it is tried once more, False when it is shed."""
    asked = requests(world, request)
    demands(world, asked.demand).lost += 1
    window = windows(world, asked.window)
    window.open -= 1
    window.changed = 1
    if asked.lost:
        _shed(world, request)
        return False
    asked.lost = 1
    asked.attempt += 1
    restart(asked, at)
    return True


@kernel
def restart(asked: Any, at: float) -> None:
    """From the beginning, at that instant."""
    asked.joined_after = at - asked.arrival
    asked.first_after = -1.0
    asked.done = 0
    asked.swapped = 0


@kernel
def reachable(world: Any, asked: Any, demand: Any) -> bool:
    """Could an idle replica at home, of the best VM type for this request, have kept the promise?"""
    rest, promise = max(0, asked.output - 1), promise_of(demand, asked.input)
    context = asked.input + 0.5 * asked.output
    for place in range(world.laws_size):
        law = laws(world, place)
        if law.model != demand.model:
            continue
        prefill = law.prefill_base + law.prefill_token * asked.input
        prefill += law.prefill_knee * max(0, asked.input - KNEE_TOKENS)
        gap = law.decode_base + law.decode_sequence + law.decode_token * context
        ttft = prefill + demand.home_trip
        in_time = ttft <= promise and ttft + rest * gap <= demand.finish
        if in_time and (rest == 0 or gap <= demand.gap):
            return True
    return False


@kernel
def forget(world: Any, request: int) -> None:
    """The record is free."""
    requests(world, request).next = world.free_request
    world.free_request = request
    world.in_flight -= 1


@kernel
def _comes_back(world: Any, asked: Any) -> bool:
    """A client that was refused tries again, by the chance of its request and attempt."""
    if world.returns >= 1.0:
        return True
    number = int(asked.number) + (int(asked.attempt) << ATTEMPT_BIT)
    return bool(chance(world, RETURN_STREAM, number) < world.returns)


@kernel
def _shed(world: Any, request: int) -> None:
    asked = requests(world, request)
    demand = demands(world, asked.demand)
    demand.shed += 1
    if asked.late:
        demand.late -= 1
    elif reachable(world, asked, demand):
        demand.reachable += 1
    forget(world, request)


@kernel
def _record(world: Any, asked: Any, tier: int, ttft: float, gap: float, e2e: float) -> None:
    count_latency(world, asked.window, tier, 0, bucket_of(ttft))
    count_latency(world, asked.window, tier, 2, bucket_of(e2e))
    if asked.output > 1:
        count_latency(world, asked.window, tier, 1, bucket_of(gap))


@kernel
def _learn(world: Any, cell: int, tier: int, asked: Any) -> None:
    """Two numbers per cell and tier, and per bin of prompts: the expected output, and of how many requests
    it is the mean."""
    _follow(expected_output(world), 2 * (cell * TIERS + tier), asked.output)
    if world.predicts:
        place = 2 * ((cell * TIERS + tier) * BINS + input_bin(asked.input))
        _follow(binned_output(world), place, asked.output)


@kernel
def _follow(means: Any, place: int, output: int) -> None:
    seen = min(_MEMORY_OF_OUTPUTS, means[place + 1] + 1.0)
    means[place + 1] = seen
    means[place] = follow(means[place], seen, float(output))
