"""The prompts that a replica prefills: a list in order of admission, whole prompts stalling decoding.

A prefill takes waiting requests that fit, up to a bound of tokens, one prompt always.
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
from simulation.event.layout import NOBODY, PREFILL, cells, replicas, requests, work
from simulation.event.memory import let_go, part_with
from simulation.event.outcomes import finish, first_token
from simulation.event.timing import prompt_seconds


@kernel
def add_prompt(world: Any, slot: int, request: int) -> None:
    """A request that was let in is prefilled after those before it."""
    replica = replicas(world, slot)
    requests(world, request).next = NOBODY
    if replica.prompts_head < 0:
        replica.prompts_head = request
    else:
        requests(world, replica.prompts_tail).next = request
    replica.prompts_tail = request
    replica.prompt_tokens += tokens_to_prefill(requests(world, request))


@kernel
def begin_prefill(world: Any, key: Any, cell: int, slot: int, at: float) -> bool:
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
        add_prompt(world, slot, request)
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
def end_prompts(world: Any, cell: int, slot: int, at: float, completes: int) -> None:
    """The first of the prompts being prefilled (−1: all) give their first token and decode."""
    replica = replicas(world, slot)
    while completes != 0 and replica.prompts_head >= 0:
        completes -= 1
        request = replica.prompts_head
        one = requests(world, request)
        replica.prompts_head = one.next
        tokens = tokens_to_prefill(one)
        work(world)[slot] -= tokens * replica.prefill_token
        replica.prompt_tokens -= tokens - replica.head_done
        replica.head_done = 0
        generated = one.done
        if one.swapped:
            one.swapped = 0
        else:
            generated += 1
            replica.generated += 1
        if one.first_after < 0.0:
            first_token(world, cell, request, at)
        if generated >= one.output:
            let_go(replica, one, one.input + one.done + 1)
            part_with(world, slot, request)
            finish(world, cell, request, at)
        else:
            start_decoding(world, slot, request, generated)
    if replica.prompts_head < 0:
        replica.prompts_tail = NOBODY
