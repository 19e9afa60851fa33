"""What a replica does from one boundary of iterations to the next: begin it, and end it.

Whole prompts: waiting requests that fit are prefilled at once and decoding stands still. Chunks: every
iteration carries up to `chunk` tokens, those of running sequences first; what is left takes prompt
tokens, in order of admission. An iteration without a running sequence costs the base of a prefill.
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
from simulation.event.batch import take_batch
from simulation.event.calendar import end_at, iteration_of, remove_end, request_of, set_due
from simulation.event.compiled import kernel
from simulation.event.controller import control, note_iterations, note_stall, wake
from simulation.event.layout import (
    BATCH,
    CHUNKS,
    DECODE,
    IDLE,
    LAST_CHUNK,
    LEAVING,
    NOBODY,
    OFF,
    PREFILL,
    SERVING,
    cells,
    due,
    replicas,
    requests,
    work,
)
from simulation.event.load import book
from simulation.event.memory import free_tokens, let_go, make_room_to_go_on, part_with
from simulation.event.outcomes import finish
from simulation.event.timing import decode_work, iterations_until, prompt_seconds, seconds_of

FOREVER = float("inf")


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
    if world.chunked:
        _begin_chunks(world, key, cell, slot, begins, stall < 0.0)
    elif stall >= 0.0 or not _begin_prefill(world, key, cell, slot, begins):
        _begin_decoding(world, cell, slot, begins)


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
        _end_prompts(world, cell, slot, at, -1)
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
        _end_sequence(world, cell, slot, request_of(end), at)
    if phase == CHUNKS:
        replica.head_done += n * replica.chunk
        replica.prompt_tokens -= n * replica.chunk
    elif phase == LAST_CHUNK:
        _end_prompts(world, cell, slot, at, replica.completes)
        replica.head_done = replica.partial


@kernel
def _end_sequence(world: Any, cell: int, slot: int, request: int, at: float) -> None:
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
def _end_prompts(world: Any, cell: int, slot: int, at: float, completes: int) -> None:
    """The first of the prompts being prefilled (−1: all) give their first token and decode."""
    replica = replicas(world, slot)
    while completes != 0 and replica.prompts_head >= 0:
        completes -= 1
        request = replica.prompts_head
        one = requests(world, request)
        replica.prompts_head = one.next
        tokens = tokens_to_prefill(one)
        work(world)[slot] -= tokens * replica.prefill_token
        replica.prompt_tokens -= tokens
        generated = one.done
        if one.swapped:
            one.swapped = 0
        else:
            generated += 1
            replica.generated += 1
        if one.first_after < 0.0:
            one.first_after = at - one.arrival
        if generated >= one.output:
            let_go(replica, one, one.input + one.done + 1)
            part_with(world, slot, request)
            finish(world, cell, request, at)
        else:
            start_decoding(world, slot, request, generated)
    if replica.prompts_head < 0:
        replica.prompts_tail = NOBODY


@kernel
def _add_prompt(world: Any, slot: int, request: int) -> None:
    replica = replicas(world, slot)
    requests(world, request).next = NOBODY
    if replica.prompts_head < 0:
        replica.prompts_head = request
    else:
        requests(world, replica.prompts_tail).next = request
    replica.prompts_tail = request
    replica.prompt_tokens += tokens_to_prefill(requests(world, request))


@kernel
def _begin_prefill(world: Any, key: Any, cell: int, slot: int, at: float) -> bool:
    """Let in whom there is room for, up to a prefill's tokens, one prompt always; False = nobody."""
    replica = replicas(world, slot)
    copying = 0.0
    while replica.waiting > 0:
        request = first_waiting(world, key, cell, slot, at)
        if request < 0:
            break
        tokens = replica.prompt_tokens + tokens_to_prefill(requests(world, request))
        if replica.prompts_head >= 0 and tokens > world.most_prefill:
            break
        seconds = make_room(world, cell, slot, request)
        if seconds < 0.0:
            break
        copying += seconds
        let_in(world, cell, slot)
        if requests(world, request).swapped:
            copying += (
                requests(world, request).input + requests(world, request).done
            ) * replica.copy_seconds
        _add_prompt(world, slot, request)
    if replica.prompts_head < 0:
        return False
    replica.phase = PREFILL
    replica.clock = at
    replica.doing_work = 0.0
    if replica.prompt_tokens > 0:
        replica.doing_work = replica.prefill_base + prompt_seconds(replica, replica.prompt_tokens)
    replica.doing_seconds = replica.doing_work + copying
    set_due(world, cells(world, cell), slot, at + replica.doing_seconds)
    return True


@kernel
def _begin_decoding(world: Any, cell: int, slot: int, at: float) -> None:
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
    n = _iterations_possible(world, slot)
    if world.controls:
        n = min(n, max(1, iterations_until(replica, replica.tick)))
    replica.iterations = n
    set_due(world, place, slot, at + seconds_of(replica, n))


@kernel
def _iterations_possible(world: Any, slot: int) -> int:
    """Until the next sequence ends or memory is full."""
    replica = replicas(world, slot)
    first = end_at(world, slot, 0)
    until_end = iteration_of(first) - replica.iteration
    return min(int(until_end), int(free_tokens(replica) / replica.running))


@kernel
def _stand_idle(world: Any, place: Any, slot: int, at: float) -> None:
    replica = replicas(world, slot)
    replica.phase = IDLE
    replica.clock = at
    if replica.standing == LEAVING:
        replica.standing = OFF
    if replica.standing == SERVING and replica.waiting == 0:
        work(world)[slot] = replica.expected = 0.0  # what rounding left
    set_due(world, place, slot, FOREVER)


@kernel
def _begin_chunks(world: Any, key: Any, cell: int, slot: int, at: float, may_let_in: bool) -> None:
    """Iterations that carry prompt tokens beside the running sequences, or plain decoding."""
    place, replica = cells(world, cell), replicas(world, slot)
    at = _fill_stream(world, key, cell, slot, at, may_let_in)
    room = world.chunk - replica.running
    if replica.prompts_head < 0 or room <= 0:
        _begin_decoding(world, cell, slot, at)
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
            n = min(n, _iterations_possible(world, slot))
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
            _add_prompt(world, slot, request)
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
