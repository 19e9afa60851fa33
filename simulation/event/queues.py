"""Queues inside the records of waiting requests: a pairing heap by key, and plain lists.

Nothing is allocated: a request hangs in one queue at a time, by its `next` and `mark`. Equal keys
go by number of arrival. Pairing heaps: Fredman, Sedgewick, Sleator and Tarjan, Algorithmica 1 (1986);
what arrives in order of its key is queued and taken in constant time.
"""

from __future__ import annotations

from typing import Any

from simulation.event.compiled import kernel
from simulation.event.layout import NOBODY, requests


@kernel
def push(world: Any, root: int, request: int) -> int:
    """Let a request wait in the queue of that root; returns the new root."""
    waiting = requests(world, request)
    waiting.next = NOBODY
    waiting.mark = NOBODY
    return _joined(world, root, request)


@kernel
def without_first(world: Any, root: int) -> int:
    """The root once the first, `root` itself, was taken."""
    child = requests(world, root).mark
    pairs = NOBODY
    while child >= 0:
        one, other = child, requests(world, child).next
        if other < 0:
            requests(world, one).next = pairs
            pairs = one
            break
        child = requests(world, other).next
        requests(world, one).next = NOBODY
        requests(world, other).next = NOBODY
        pair = _joined(world, one, other)
        requests(world, pair).next = pairs
        pairs = pair
    rest = NOBODY
    while pairs >= 0:
        one = pairs
        pairs = requests(world, one).next
        requests(world, one).next = NOBODY
        rest = _joined(world, rest, one)
    return rest


@kernel
def _joined(world: Any, one: int, other: int) -> int:
    """Two queues as one."""
    if one < 0:
        return other
    if other < 0:
        return one
    a, b = requests(world, one), requests(world, other)
    if b.key < a.key or (b.key == a.key and b.number < a.number):
        a.next = b.mark
        b.mark = one
        return other
    b.next = a.mark
    a.mark = other
    return one
