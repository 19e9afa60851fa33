"""Chiron's local autoscaler (arXiv 2501.08090, Algorithm 1): the batch size follows the backpressure.

`scheduling.batch_size` says what is decided; this measures and does it. A replica's
clock ticks while it has work, and a tick acts at the next boundary of iterations.
"""

from __future__ import annotations

from typing import Any

from scheduling.rules.batch import backpressure, resized
from simulation.event.compiled import kernel
from simulation.event.layout import GAP_SAMPLES, gaps, replicas


@kernel
def wake(world: Any, replica: Any, at: float) -> None:
    """An idle replica gets work: its clock ticks again."""
    if replica.tick <= at:
        replica.tick = at + world.period
        _begin_period(replica, at)


@kernel
def note_iterations(world: Any, slot: int, iterations: int, seconds: float) -> None:
    """Remember the gaps between tokens that running sequences saw in so many iterations."""
    replica = replicas(world, slot)
    tokens = float(iterations * replica.running)
    replica.generated += iterations * replica.running
    if replica.stalled > 0.0 and replica.stalled_sequences > 0:
        stalled = float(min(replica.stalled_sequences, replica.running))
        _note(world, slot, replica.stalled + seconds / iterations, stalled)
        tokens -= stalled
    _note(world, slot, seconds / iterations, tokens)
    replica.stalled = 0.0
    replica.stalled_sequences = 0


@kernel
def note_stall(replica: Any, seconds: float) -> None:
    """Running sequences waited so long for others."""
    if replica.running > 0:
        replica.stalled += seconds
        replica.stalled_sequences = replica.running


@kernel
def control(world: Any, cell: Any, slot: int, at: float) -> None:
    """Set the batch size at a tick, from what was measured since the one before."""
    replica = replicas(world, slot)
    elapsed = at - replica.ticked
    rate = replica.generated / elapsed if elapsed > 0.0 else 0.0
    if replica.gaps > 0:
        binds = replica.held >= world.binding_share * replica.limit
        pressure = backpressure(
            _high_gap(world, slot),
            _strictest(cell, replica),
            replica.rate_before,
            rate,
            binds and replica.grew != 0,
        )
        replica.grew = pressure < 1.0
        replica.batch_size = resized(
            replica.batch_size,
            pressure,
            world.smoothing,
            world.largest_growth,
            float(replica.most),
        )
        replica.limit = int(replica.batch_size)
        replica.rate_before = rate
    while replica.tick <= at:
        replica.tick += world.period
    _begin_period(replica, at)


@kernel
def _begin_period(replica: Any, at: float) -> None:
    replica.ticked = at
    replica.generated = 0
    replica.gaps = 0


@kernel
def _strictest(cell: Any, replica: Any) -> float:
    """The smallest gap that is promised to any of those that run."""
    if replica.held_fast > 0:
        return float(cell.gap_fast)
    return float(cell.gap_normal if replica.held_normal > 0 else cell.gap_batch)


@kernel
def _note(world: Any, slot: int, gap: float, tokens: float) -> None:
    """One more sample; when there is no place left the last one takes it in."""
    replica = replicas(world, slot)
    if tokens <= 0.0:
        return
    seen, first = gaps(world), slot * 2 * GAP_SAMPLES
    if replica.gaps < GAP_SAMPLES:
        place = first + 2 * replica.gaps
        seen[place], seen[place + 1] = gap, tokens
        replica.gaps += 1
        return
    place = first + 2 * (GAP_SAMPLES - 1)
    total = seen[place + 1] + tokens
    seen[place] = (seen[place] * seen[place + 1] + gap * tokens) / total
    seen[place + 1] = total


@kernel
def _high_gap(world: Any, slot: int) -> float:
    """The quantile of the gaps since the last tick, weighed by tokens."""
    replica, seen, first = replicas(world, slot), gaps(world), slot * 2 * GAP_SAMPLES
    total = 0.0
    for sample in range(replica.gaps):
        total += seen[first + 2 * sample + 1]
    above = (1.0 - world.gap_quantile) * total
    bound = 1e300
    while True:
        largest, tokens = -1.0, 0.0
        for sample in range(replica.gaps):
            gap = seen[first + 2 * sample]
            if gap < bound and gap > largest:
                largest = gap
        for sample in range(replica.gaps):
            if seen[first + 2 * sample] == largest:
                tokens += seen[first + 2 * sample + 1]
        above -= tokens
        if above < 0.0 or largest < 0.0:
            return float(max(largest, 0.0))
        bound = largest
