"""Where the gateways send each request of a minute: whole requests, split by the routing tables.

Rounding is carried over, so that in the long run the shares are exactly those of the table. Where a
share's region has no ready replica the gateway takes the first region of the fall-back order that
has; where none has, the request is shed. A gateway that never got a table serves at home first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RoutingTable
from simulation.columns import Floats
from simulation.fluid.grid import TIERS, Grid
from simulation.fluid.offered import Arrival

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One minute's arrivals by destination; shapes in the letters of Grid, whole numbers.

    `shed` is what the table (or the lack of any ready replica) turned away, (M, K, O).
    """

    offered: Counts
    input_tokens: Counts
    output_tokens: Counts
    shed: Counts
    shed_input_tokens: Counts
    shed_output_tokens: Counts


class Gateways:
    """Splits arrivals over regions; remembers only what rounding still owes."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._owed: dict[DemandKey, Floats] = {}
        self._held: dict[DemandKey, tuple[RoutingTable | None, bytes, Floats]] = {}
        """Each demand's weights, and the table and open regions that they were read off."""

    def split(
        self,
        arrivals: Sequence[Arrival],
        tables: Mapping[RegionName, RoutingTable],
        ready: Floats,
    ) -> Split:
        """The arrivals by destination, given (R, M, G) ready replicas."""
        grid = self._grid
        columns = [np.zeros(grid.shape, dtype=np.int64) for _ in range(3)]
        shed = [np.zeros(grid.shape[1:], dtype=np.int64) for _ in range(3)]
        open_regions = ready.sum(axis=-1) > 0
        places: list[tuple[int, int, int]] = []
        requests = np.zeros((len(arrivals), len(grid.regions) + 1), dtype=np.int64)
        for row, arrival in enumerate(arrivals):
            demand = arrival.demand
            m, k = grid.model_at[demand.model], TIERS.index(demand.tier)
            weights = self._weights(demand, tables.get(demand.origin), open_regions[:, m])
            requests[row] = self._whole(demand, arrival.offered, weights)
            places.append((m, k, grid.region_at[demand.origin]))
        tokens = (
            _in_proportion([getattr(arrival, name) for arrival in arrivals], requests)
            for name in ("input_tokens", "output_tokens")
        )
        models, tiers, origins = np.array(places, dtype=np.int64).reshape(-1, 3).T
        for column, turned_away, part in zip(columns, shed, (requests, *tokens), strict=True):
            column[:, models, tiers, origins] = part[:, :-1].T
            turned_away[models, tiers, origins] = part[:, -1]
        return Split(
            offered=columns[0],
            input_tokens=columns[1],
            output_tokens=columns[2],
            shed=shed[0],
            shed_input_tokens=shed[1],
            shed_output_tokens=shed[2],
        )

    def _weights(
        self, demand: DemandKey, table: RoutingTable | None, is_open: NDArray[np.bool_]
    ) -> Floats:
        """(R + 1,) shares of the regions, and last the share that is shed."""
        held = self._held.get(demand)
        if held is None or held[0] is not table or held[1] != is_open.tobytes():
            weights = self._read_weights(demand, table, is_open)
            held = self._held[demand] = (table, is_open.tobytes(), weights)
        return held[2]

    def _read_weights(
        self, demand: DemandKey, table: RoutingTable | None, is_open: NDArray[np.bool_]
    ) -> Floats:
        entry = None if table is None else table.entry(demand.model, demand.tier)
        weights = np.zeros(len(is_open) + 1)
        if entry is None:
            shares: list[tuple[RegionName, int]] = [(demand.origin, MILLION)]
        else:
            shares = [(share.serving, share.weight_ppm) for share in entry.shares]
            weights[-1] = entry.shed_ppm
        for serving, ppm in shares:
            if ppm:
                weights[self._reachable(serving, demand, entry, is_open)] += ppm
        return weights / MILLION

    def _reachable(
        self,
        serving: RegionName,
        demand: DemandKey,
        entry: RouteEntry | None,
        is_open: NDArray[np.bool_],
    ) -> int:
        fallback = entry.fallback if entry is not None else self._by_distance(demand)
        for region in (serving, *fallback):
            if is_open[self._grid.region_at[region]]:
                return self._grid.region_at[region]
        return -1

    def _by_distance(self, demand: DemandKey) -> tuple[RegionName, ...]:
        catalogue = self._grid.catalogue
        model, tier = ModelName(demand.model), Tier(demand.tier)
        return tuple(
            region
            for region in catalogue.nearest_first(demand.origin)
            if catalogue.may_serve(demand.origin, region, model, tier)
        )

    def _whole(self, demand: DemandKey, offered: int, weights: Floats) -> Counts:
        """Whole requests per destination that add up to `offered`; ties go to the first."""
        owed = self._owed.get(demand)
        exact = offered * weights + (0.0 if owed is None else np.where(weights > 0, owed, 0.0))
        whole = np.floor(np.clip(exact, 0.0, None)).astype(np.int64)
        if np.count_nonzero(weights) == 1:  # by far the most gateways serve at home alone
            whole[np.argmax(weights)] = offered
        missing = offered - int(whole.sum())
        if missing:
            by_rest = np.argsort(-(exact - whole), kind="stable")
            places = by_rest[weights[by_rest] > 0]
            for turn in range(abs(missing)):
                if missing > 0:
                    whole[places[turn % len(places)]] += 1
                else:
                    whole[np.argmax(whole)] -= 1
        self._owed[demand] = exact - whole
        return whole


def _in_proportion(totals: Sequence[int], requests: Counts) -> Counts:
    """Each row's total of tokens over destinations in proportion to its requests, whole, none lost."""
    total = np.array(totals, dtype=np.int64).reshape(-1, 1)
    alone: Counts = np.where(requests > 0, total, 0)
    edges = np.cumsum(requests, axis=1) / np.maximum(requests.sum(axis=1, keepdims=True), 1)
    parts = np.diff(np.rint(total * edges), axis=1, prepend=0.0).astype(np.int64)
    return np.where(np.count_nonzero(requests, axis=1)[:, None] <= 1, alone, parts)
