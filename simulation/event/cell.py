"""Advances a cell to an instant: replicas act in order of their due times.

At one instant replicas come first, then what befalls them, then arrivals, then the batch queue.
"""

from __future__ import annotations

from typing import Any

from simulation.event.calendar import next_slot
from simulation.event.changing import befall
from simulation.event.compiled import kernel
from simulation.event.dispatch import (
    NOT_POLLED,
    POLL_SECONDS,
    arrive,
    poll,
    release_held,
)
from simulation.event.doing import come_to_boundary, go_on
from simulation.event.layout import cells, changes, due, requests

_REPLICA, _CHANGE, _ARRIVAL, _POLL = 0, 1, 2, 3


@kernel
def advance(world: Any, key: Any, cell: int, until: float) -> None:
    """Let everything happen that is due before `until`; changes also at it."""
    place = cells(world, cell)
    while True:
        slot = next_slot(world, place)
        at, what = due(world)[slot], _REPLICA
        if place.change < place.change_end and changes(world, place.change).at < at:
            at, what = changes(world, place.change).at, _CHANGE
        if place.arrivals_head >= 0 and requests(world, place.arrivals_head).key < at:
            at, what = requests(world, place.arrivals_head).key, _ARRIVAL
        if place.poll < at:
            at, what = place.poll, _POLL
        if at > until or (at == until and what != _CHANGE):
            break
        if what == _REPLICA:
            come_to_boundary(world, cell, slot)
            go_on(world, key, cell, slot, at)
        elif what == _CHANGE:
            befall(world, key, cell, changes(world, place.change), at)
            place.change += 1
        elif what == _ARRIVAL:
            request = place.arrivals_head
            place.arrivals_head = requests(world, request).next
            arrive(world, key, cell, request, at)
        else:
            poll(world, key, cell, at)
        if place.held_head >= 0 and place.ready > 0:
            release_held(world, key, cell, at)
        if place.batch_queue >= 0 and place.poll == NOT_POLLED:
            place.poll = at + POLL_SECONDS
