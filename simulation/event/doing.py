"""What a replica does from one boundary of iterations to the next: begin it, and end it."""

from __future__ import annotations

from typing import Any

from simulation.event.batch import take_batch
from simulation.event.calendar import end_at, iteration_of, request_of
from simulation.event.chunks import begin_chunks
from simulation.event.compiled import kernel
from simulation.event.controller import control, note_iterations, note_stall, wake
from simulation.event.decoding import begin_decoding, end_sequence
from simulation.event.layout import CHUNKS, DECODE, IDLE, LAST_CHUNK, PREFILL, cells, due, replicas
from simulation.event.load import book
from simulation.event.memory import make_room_to_go_on
from simulation.event.prompts import begin_prefill, end_prompts
from simulation.event.timing import decode_work


@kernel
def go_on(world: Any, key: Any, cell: int, slot: int, at: float) -> None:
    """At a boundary of iterations: control, make room, let in, and begin what comes next."""
    place, replica = cells(world, cell), replicas(world, slot)
    if world.controls:
        if replica.phase == IDLE:
            wake(world, replica, at)
        elif at >= replica.tick:
            control(world, place, slot, at)
    stall = make_room_to_go_on(world, cell, slot)
    if world.admits_batch and stall < 0.0:
        take_batch(world, key, cell, slot, at)
    if stall > 0.0:
        note_stall(replica, stall)
    begins = at + max(0.0, stall)
    # Who let others give way goes on first; when it was the last and outgrew the replica, nobody does.
    goes_on = stall >= 0.0 and replica.running > 0
    if world.chunked:
        begin_chunks(world, key, cell, slot, begins, not goes_on)
    elif goes_on or not begin_prefill(world, key, cell, slot, begins):
        begin_decoding(world, cell, slot, begins)


@kernel
def come_to_boundary(world: Any, cell: int, slot: int) -> None:
    """End what the replica was doing, at the instant it is due."""
    replica = replicas(world, slot)
    phase = replica.phase
    at = due(world)[slot]
    seconds = at - replica.clock
    if phase == PREFILL:
        book(replica, replica.clock, at, replica.doing_work)
        if world.controls:
            note_stall(replica, seconds)
        end_prompts(world, cell, slot, at, -1)
    elif phase != IDLE:
        _end_iterations(world, cell, slot, at, seconds)
    replica.clock = at


@kernel
def _end_iterations(world: Any, cell: int, slot: int, at: float, seconds: float) -> None:
    replica = replicas(world, slot)
    phase, n = replica.phase, replica.iterations
    if n == 0:
        return
    if phase == DECODE:
        book(replica, replica.clock, at, decode_work(replica, n))
    else:
        book(replica, replica.clock, at, replica.doing_work)
    if world.controls and replica.running > 0:
        note_iterations(world, slot, n, seconds)
    replica.iteration += n
    replica.held_tokens += n * replica.running
    replica.context += n * replica.running
    replica.batch_tokens += n * replica.running_batch
    while replica.running > 0:
        end = end_at(world, slot, 0)
        if iteration_of(end) > replica.iteration:
            break
        end_sequence(world, cell, slot, request_of(end), at)
    if phase == CHUNKS:
        replica.head_done += n * replica.chunk
        replica.prompt_tokens -= n * replica.chunk
    elif phase == LAST_CHUNK:
        end_prompts(world, cell, slot, at, replica.completes)
        replica.head_done = replica.partial
        replica.prompt_tokens -= replica.partial
