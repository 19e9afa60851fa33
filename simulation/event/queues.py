"""Queues inside the records of those who wait: a pairing heap by key, and plain lists.

Nothing is allocated: a request hangs in one queue at a time, by its `next` and `child`. Equal keys
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
    waiting = requests(world)[request]
    waiting.next = NOBODY
    waiting.child = NOBODY
    return _joined(world, root, request)


@kernel
def without_first(world: Any, root: int) -> int:
    """The root once the first, `root` itself, was taken."""
    asked = requests(world)
    child = asked[root].child
    pairs = NOBODY
    while child >= 0:
        one, other = child, asked[child].next
        if other < 0:
            asked[one].next = pairs
            pairs = one
            break
        child = asked[other].next
        asked[one].next = NOBODY
        asked[other].next = NOBODY
        pair = _joined(world, one, other)
        asked[pair].next = pairs
        pairs = pair
    rest = NOBODY
    while pairs >= 0:
        one = pairs
        pairs = asked[one].next
        asked[one].next = NOBODY
        rest = _joined(world, rest, one)
    return rest


@kernel
def _joined(world: Any, one: int, other: int) -> int:
    """Two queues as one."""
    if one < 0:
        return other
    if other < 0:
        return one
    asked = requests(world)
    a, b = asked[one], asked[other]
    if b.key < a.key or (b.key == a.key and b.number < a.number):
        a.next = b.child
        b.child = one
        return other
    b.next = a.child
    a.child = other
    return one
