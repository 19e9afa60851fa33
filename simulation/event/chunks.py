"""Chunked prefill: every iteration carries up to `chunk` tokens, those of running sequences first.

What is left takes prompt tokens, in order of admission. An iteration without a running sequence
costs the base of a prefill.
"""

from __future__ import annotations

from typing import Any

from simulation.event.admission import (
    first_waiting,
    let_in,
    make_room,
    start_decoding,
    tokens_to_prefill,
)
from simulation.event.calendar import set_due
from simulation.event.compiled import kernel
from simulation.event.controller import note_stall
from simulation.event.decoding import begin_decoding, iterations_possible
from simulation.event.layout import CHUNKS, LAST_CHUNK, cells, replicas, requests
from simulation.event.prompts import add_prompt
from simulation.event.timing import decode_work, prompt_seconds, seconds_of


@kernel
def begin_chunks(world: Any, key: Any, cell: int, slot: int, at: float, may_let_in: bool) -> None:
    """Iterations that carry prompt tokens beside the running sequences, or plain decoding."""
    place, replica = cells(world, cell), replicas(world, slot)
    at = _fill_stream(world, key, cell, slot, at, may_let_in)
    room = world.chunk - replica.running
    if replica.prompts_head < 0 or room <= 0:
        begin_decoding(world, cell, slot, at)
        return
    replica.clock = at
    replica.chunk = room
    replica.first_seconds = replica.prefill_base
    if replica.running > 0:
        replica.first_seconds = (
            replica.decode_base
            + replica.decode_sequence * replica.running
            + replica.decode_token * replica.context
        )
    replica.growth_seconds = replica.decode_token * replica.running
    head = requests(world, replica.prompts_head)
    left = tokens_to_prefill(head) - replica.head_done
    n = (left - 1) // room
    if n >= 1:
        replica.phase = CHUNKS
        if replica.running > 0:
            n = min(n, iterations_possible(world, slot))
            if world.controls:
                n = min(n, max(1, int((replica.tick - at) / seconds_of(replica, 1)) + 1))
        replica.iterations = n
        replica.doing_seconds = seconds_of(replica, n)
        done = replica.head_done
        added = prompt_seconds(replica, done + n * room) - prompt_seconds(replica, done)
    else:
        replica.phase = LAST_CHUNK
        replica.iterations = n = 1
        added = _compose(world, slot, room)
        replica.doing_seconds = replica.first_seconds + added
    replica.doing_work = added + (decode_work(replica, n) if replica.running > 0 else 0.0)
    set_due(world, place, slot, at + replica.doing_seconds)


@kernel
def _fill_stream(world: Any, key: Any, cell: int, slot: int, at: float, may_let_in: bool) -> float:
    """Let in until the prompts fill the next iteration; returns when it begins."""
    replica = replicas(world, slot)
    while may_let_in and replica.waiting > 0:
        if replica.prompt_tokens >= world.chunk - replica.running:
            break
        request = first_waiting(world, key, cell, slot, at)
        if request < 0:
            break
        seconds = make_room(world, cell, slot, request)
        if seconds < 0.0:
            break
        let_in(world, cell, slot)
        one = requests(world, request)
        if one.swapped:
            seconds += (one.input + one.done) * replica.copy_seconds
            one.swapped = 0
            start_decoding(world, slot, request, one.done)
        else:
            add_prompt(world, slot, request)
        if seconds > 0.0:
            note_stall(replica, seconds)
            at += seconds
    return at


@kernel
def _compose(world: Any, slot: int, room: int) -> float:
    """Fill one iteration with prompt tokens, the head's first; returns the seconds that they add."""
    replica = replicas(world, slot)
    request, done = replica.prompts_head, replica.head_done
    replica.completes = replica.partial = 0
    added = 0.0
    while request >= 0 and room > 0:
        left = tokens_to_prefill(requests(world, request)) - done
        taken = min(left, room)
        added += prompt_seconds(replica, done + taken) - prompt_seconds(replica, done)
        room -= taken
        if taken < left:
            replica.partial = done + taken
            break
        replica.completes += 1
        done = 0
        request = requests(world, request).next
    return added
