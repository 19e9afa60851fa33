"""The batch queue of a cell: the oldest first, to replicas that have room (SageServe's admission)."""

from __future__ import annotations

from typing import Any

from simulation.event.admission import out_of_patience
from simulation.event.compiled import kernel
from simulation.event.counting import count_waiting
from simulation.event.layout import SERVING, cells, replicas
from simulation.event.load import utilisation
from simulation.event.outcomes import turn_away
from simulation.event.placing import enqueue, memory_wanted
from simulation.event.queues import without_first


@kernel
def take_batch(world: Any, key: Any, cell: int, slot: int, at: float) -> None:
    """Let a replica take what its utilisation allows; it waits there like everything else."""
    replica = replicas(world, slot)
    if cells(world, cell).batch_queue < 0 or replica.waiting > 0 or replica.standing != SERVING:
        return
    full = utilisation(replica, at)
    if full >= world.one_below:
        return
    for _ in range(2 if full < world.two_below else 1):
        request = oldest(world, cell, at)
        if request < 0 or memory_wanted(world, cell, request) > replica.memory:
            return
        leave_batch_queue(world, cell)
        enqueue(world, key, cell, slot, request, at)


@kernel
def oldest(world: Any, cell: int, at: float) -> int:
    """Who is next, −1 when nobody waits; turns away what is past its deadline."""
    place = cells(world, cell)
    while place.batch_queue >= 0 and out_of_patience(world, place.batch_queue, at):
        turn_away(world, leave_batch_queue(world, cell), at)
    return int(place.batch_queue)


@kernel
def leave_batch_queue(world: Any, cell: int) -> int:
    """Take the oldest out."""
    place = cells(world, cell)
    request = place.batch_queue
    place.batch_queue = without_first(world, request)
    place.batch_waiting -= 1
    count_waiting(world, cell, request, -1)
    return int(request)
