"""Which replica of a cell is due next: a tournament tree over its slots, and heaps of sequence ends.

The tree's leaves are the slots, every node names the one of its two that is due first, and when;
moving one costs a path to the root. A replica's heap holds, for each sequence that decodes, the
iteration after which it ends and the request, in one number.
"""

from __future__ import annotations

from typing import Any

from simulation.event.compiled import kernel
from simulation.event.layout import due, ends, nodes

REQUEST_BITS = 24
MOST_REQUESTS = 1 << REQUEST_BITS
"""In flight at a time."""
_MASK = MOST_REQUESTS - 1


@kernel
def set_due(world: Any, cell: Any, slot: int, at: float) -> None:
    """Let the replica in that slot act at an instant."""
    due(world)[slot] = at
    root = 2 * cell.base
    node = cell.slots + slot - cell.base
    winner = slot
    nodes(world, root + node).at = at
    while node > 1:
        rival = nodes(world, root + (node ^ 1))
        if rival.at < at or (rival.at == at and rival.slot < winner):
            at, winner = rival.at, rival.slot
        node >>= 1
        above = nodes(world, root + node)
        if above.at == at and above.slot == winner:
            break  # further up nothing changes either
        above.at = at
        above.slot = winner


@kernel
def next_slot(world: Any, cell: Any) -> int:
    """The slot that is due first; the lowest of several."""
    return int(nodes(world, 2 * cell.base + 1).slot)


@kernel
def add_end(world: Any, slot: int, sequences: int, iteration: int, request: int) -> None:
    """Let a request end after that iteration; `sequences` are in the heap so far."""
    first = slot * world.slot_sequences
    end = (iteration << REQUEST_BITS) | request
    place = sequences
    while place > 0:
        above = ends(world, first + ((place - 1) >> 1)).key
        if above <= end:
            break
        ends(world, first + place).key = above
        place = (place - 1) >> 1
    ends(world, first + place).key = end


@kernel
def remove_end(world: Any, slot: int, sequences: int, place: int) -> None:
    """Take the end at that place out of the heap of `sequences` ends."""
    first = slot * world.slot_sequences
    last = sequences - 1
    end = ends(world, first + last).key
    while place > 0 and ends(world, first + ((place - 1) >> 1)).key > end:
        ends(world, first + place).key = ends(world, first + ((place - 1) >> 1)).key
        place = (place - 1) >> 1
    while True:
        below = 2 * place + 1
        if below >= last:
            break
        least = ends(world, first + below).key
        if below + 1 < last and ends(world, first + below + 1).key < least:
            below += 1
            least = ends(world, first + below).key
        if least >= end:
            break
        ends(world, first + place).key = least
        place = below
    ends(world, first + place).key = end


@kernel
def end_at(world: Any, slot: int, place: int) -> int:
    """The end at that place of a replica's heap; the first one is at 0."""
    return int(ends(world, slot * world.slot_sequences + place).key)


@kernel
def iteration_of(end: int) -> int:
    """After which iteration it ends."""
    return end >> REQUEST_BITS


@kernel
def request_of(end: int) -> int:
    """Who ends."""
    return end & _MASK
