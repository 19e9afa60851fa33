"""How requests come in: new ones from the source and those that come back, each to a region by the
shares of its demand, as hashes of their numbers say."""

from __future__ import annotations

from typing import Any

from simulation.event.admission import out_of_patience
from simulation.event.batch import leave_batch_queue
from simulation.event.chance import ATTEMPT_BIT, ROUTE_STREAM, chance
from simulation.event.compiled import kernel
from simulation.event.counting import offer
from simulation.event.dispatch import arrive
from simulation.event.layout import BATCH, NOBODY, cells, demands, requests, shares
from simulation.event.memory import hold, wait_in_batch_queue
from simulation.event.outcomes import turn_away
from simulation.event.queues import without_first

_SHED = -2


@kernel
def come_in(world: Any, columns: Any, first: int, last: int, until: float) -> None:
    """Requests `first` to `last` of the columns, and everybody who comes back before `until`, line up
    at their cells in order of time."""
    arrival, demand, prompt, output = columns
    for row in range(first, last):
        _come_back(world, arrival[row])
        request = world.free_request
        asked = requests(world, request)
        world.free_request = asked.next
        world.in_flight += 1
        asked.number = world.arrivals
        world.arrivals += 1
        asked.arrival = asked.key = arrival[row]
        asked.joined_after = 0.0
        asked.first_after = -1.0
        asked.input, asked.output = max(1, prompt[row]), output[row]
        asked.done = 0
        asked.demand = demand[row]
        asked.attempt = asked.lost = asked.promoted = asked.swapped = asked.late = 0
        whose = demands(world, asked.demand)
        asked.tier = whose.tier
        whose.offered += 1
        whose.input += asked.input
        _route(world, request)
    _come_back(world, until)


@kernel
def reroute(world: Any, key: Any, cell: int, at: float) -> None:
    """Who waits in a cell without a replica goes where its gateway would send it now, and is shed where the
    gateway would shed it. Where no region has a replica it waits on: batch work in the batch queue, the rest
    until its patience is at an end."""
    place = cells(world, cell)
    request = place.held_head
    place.held_head = place.held_tail = NOBODY
    while request >= 0:
        following = requests(world, request).next
        _send(world, key, cell, request, at)
        request = following
    if place.batch_queue < 0 or not _has_open_rival(world, place):
        return
    moved = NOBODY
    while place.batch_queue >= 0:
        request = leave_batch_queue(world, cell)
        requests(world, request).next = moved
        moved = request
    while moved >= 0:
        following = requests(world, moved).next
        region = _region_for(world, moved)
        if region < 0:
            wait_in_batch_queue(world, cell, moved)
        else:
            arrive(world, key, region * world.models + place.model, moved, at)
        moved = following


@kernel
def _send(world: Any, key: Any, cell: int, request: int, at: float) -> None:
    region, asked = _region_for(world, request), requests(world, request)
    shed = region == _SHED and _has_open_rival(world, cells(world, cell))
    if shed or (region < 0 and out_of_patience(world, request, at)):
        turn_away(world, request, at)
    elif region < 0 and asked.tier == BATCH and world.admits_batch:
        wait_in_batch_queue(world, cell, request)
    elif region < 0:
        hold(world, cell, request)
    else:
        arrive(world, key, region * world.models + cells(world, cell).model, request, at)


@kernel
def _has_open_rival(world: Any, place: Any) -> bool:
    for region in range(world.regions):  # noqa: SIM110 - numba knows no any()
        if cells(world, region * world.models + place.model).ready > 0:
            return True
    return False


@kernel
def _come_back(world: Any, until: float) -> None:
    """Those that were turned away and whose time has come."""
    while world.returning >= 0 and requests(world, world.returning).key < until:
        request = world.returning
        world.returning = without_first(world, request)
        _route(world, request)


@kernel
def _route(world: Any, request: int) -> None:
    """Book the attempt, and line it up at the cell that its hash falls to; or turn it away."""
    one = requests(world, request)
    region = _region_for(world, request)
    whose = demands(world, one.demand)
    if region < 0:
        offer(world, whose.origin, request)
        turn_away(world, request, one.key)
        return
    offer(world, region, request)
    place = cells(world, region * world.models + whose.model)
    one.next = NOBODY
    if place.arrivals_head < 0:
        place.arrivals_head = request
    else:
        requests(world, place.arrivals_tail).next = request
    place.arrivals_tail = request


@kernel
def _region_for(world: Any, request: int) -> int:
    """The region that serves it, NOBODY where none can be reached, _SHED where its table sheds it."""
    asked = requests(world, request)
    luck = chance(world, ROUTE_STREAM, int(asked.number) + (int(asked.attempt) << ATTEMPT_BIT))
    first = asked.demand * (world.regions + 1)
    for region in range(world.regions):
        if luck < shares(world)[first + region]:
            return region
    return NOBODY if luck < shares(world)[first + world.regions] else _SHED
