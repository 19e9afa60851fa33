"""The compiled engine as Python calls it: a step of all cells, gauges, and the end of a drain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulation.event.admission import leave_queue, out_of_patience
from simulation.event.batch import oldest
from simulation.event.cell import advance
from simulation.event.compiled import entry, kernel
from simulation.event.gateway import come_in, reroute
from simulation.event.gauging import drained_at, read_gauges
from simulation.event.layout import NOBODY, cells, replicas, requests
from simulation.event.memory import part_with
from simulation.event.outcomes import turn_away
from simulation.event.queues import push, without_first

AT_A_TIME = 4096
"""So many arrivals line up before the cells advance: few enough to stay in the processor's cache."""


def _step(sources: int) -> Callable[..., None]:
    def step(world: Any, key: Any, columns: Any, begin: float, end: float, sweeps: bool) -> None:
        """Serve the requests of the columns, which arrive within `[begin, end)`; with `end` = `begin`
        let only happen what befalls replicas until then."""
        assert sources >= 0
        this = world[0]
        this.step_end = end
        for cell in range(this.cells_size):
            if end > begin and cells(this, cell).ready == 0:
                reroute(this, key, cell, begin)
        first, total = 0, len(columns[0])
        while True:
            last = min(total, first + AT_A_TIME)
            until = end if last == total else columns[0][last]
            come_in(this, columns, first, last, until)
            for cell in range(this.cells_size):
                advance(this, key, cell, until)
            first = last
            if last == total:
                break
        if sweeps:
            _sweep(this, end)

    return step


def _gauge(sources: int) -> Callable[..., None]:
    def gauge(world: Any, at: float, found: Any) -> None:
        """Fill a (pools, `gauging.COLUMNS`) array."""
        assert sources >= 0
        read_gauges(world[0], at, found)

    return gauge


def _drain(sources: int) -> Callable[..., float]:
    def drain(world: Any, slot: int, at: float) -> float:
        """When everything that runs in that slot has ended."""
        assert sources >= 0
        return float(drained_at(world[0], slot, at))

    return drain


@kernel
def _sweep(world: Any, at: float) -> None:
    """Turn away everybody whose patience is at an end, wherever in a queue."""
    for cell in range(world.cells_size):
        place = cells(world, cell)
        oldest(world, cell, at)
        for slot in range(place.base, place.base + place.slots):
            if replicas(world, slot).waiting > 0:
                _sweep_queue(world, cell, slot, at)


@kernel
def _sweep_queue(world: Any, cell: int, slot: int, at: float) -> None:
    replica = replicas(world, slot)
    stay = leave = NOBODY
    while replica.queue >= 0:
        request = replica.queue
        if out_of_patience(world, request, at):
            leave_queue(world, cell, slot)
            part_with(world, slot, request)
            requests(world, request).next = leave
            leave = request
        else:
            replica.queue = without_first(world, request)
            requests(world, request).next = stay
            stay = request
    while stay >= 0:
        request = stay
        stay = requests(world, request).next
        replica.queue = push(world, replica.queue, request)
    while leave >= 0:
        request = leave
        leave = requests(world, request).next
        turn_away(world, request, at)


step = entry(_step)
gauge = entry(_gauge)
drain = entry(_drain)
