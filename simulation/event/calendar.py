"""Which replica of a cell is due next: a tournament tree over its slots, and heaps of sequence ends.

The tree's leaves are the slots, every node names the one of its two that is due first; moving one
costs a path to the root. A replica's heap holds, for each sequence that decodes, the iteration after
which it ends and the request, in one number.
"""

from __future__ import annotations

from typing import Any

from simulation.event.compiled import kernel
from simulation.event.layout import calendar, due, ends

REQUEST_BITS = 24
MOST_REQUESTS = 1 << REQUEST_BITS
"""In flight at a time."""
_MASK = MOST_REQUESTS - 1


@kernel
def set_due(world: Any, cell: Any, slot: int, at: float) -> None:
    """Let the replica in that slot act at an instant."""
    times, tree = due(world), calendar(world)
    times[slot] = at
    root = 2 * cell.base
    node = (cell.slots + slot - cell.base) >> 1
    while node >= 1:
        left, right = tree[root + 2 * node], tree[root + 2 * node + 1]
        tree[root + node] = left if times[left] <= times[right] else right
        node >>= 1


@kernel
def next_slot(world: Any, cell: Any) -> int:
    """The slot that is due first; the lowest of several."""
    return int(calendar(world)[2 * cell.base + 1])


@kernel
def add_end(world: Any, slot: int, sequences: int, iteration: int, request: int) -> None:
    """Let a request end after that iteration; `sequences` are in the heap so far."""
    heap, first = ends(world), slot * world.slot_sequences
    end = (iteration << REQUEST_BITS) | request
    place = sequences
    while place > 0:
        above = (place - 1) >> 1
        if heap[first + above] <= end:
            break
        heap[first + place] = heap[first + above]
        place = above
    heap[first + place] = end


@kernel
def remove_end(world: Any, slot: int, sequences: int, place: int) -> None:
    """Take the end at that place out of the heap of `sequences` ends."""
    heap, first = ends(world), slot * world.slot_sequences
    end = heap[first + sequences - 1]
    last = sequences - 1
    while place > 0 and heap[first + ((place - 1) >> 1)] > end:
        heap[first + place] = heap[first + ((place - 1) >> 1)]
        place = (place - 1) >> 1
    while True:
        below = 2 * place + 1
        if below >= last:
            break
        if below + 1 < last and heap[first + below + 1] < heap[first + below]:
            below += 1
        if heap[first + below] >= end:
            break
        heap[first + place] = heap[first + below]
        place = below
    heap[first + place] = end


@kernel
def iteration_of(end: int) -> int:
    """After which iteration it ends."""
    return end >> REQUEST_BITS


@kernel
def request_of(end: int) -> int:
    """Who ends."""
    return end & _MASK
