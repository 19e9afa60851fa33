"""The shares in which each demand's requests go to regions, from the gateways' tables.

As in the fluid engine: where a share's region has no ready replica the gateway takes the first region of
the fall-back order that has; where none has, the share is shed. A gateway that never got a table serves at
home first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from heliostat.model.names import DemandKey, RegionName
from heliostat.model.routing import MILLION, RouteEntry, RoutingTable
from simulation.event.setting import Places

Shares = NDArray[np.float64]
_Open = Sequence[Sequence[bool]]
"""By region and model: is any replica ready there?"""


class Sharing:
    """Running sums of shares per demand over the regions that can be reached, and behind them the share that
    the table does not shed; between the two lies what nobody can serve now."""

    def __init__(self, places: Places, demands: Sequence[DemandKey]) -> None:
        self._places, self._demands = places, tuple(demands)
        self._fallbacks = {key: _by_distance(places, key) for key in self._demands}
        self._known: tuple[tuple[RoutingTable | None, ...], bytes] | None = None
        self._shares: Shares = np.zeros((len(self._demands), len(places.regions) + 1))

    def shares(
        self, tables: Mapping[RegionName, RoutingTable], is_open: NDArray[np.bool_]
    ) -> Shares:
        """(demands, regions + 1) running sums, given (regions, models) where any replica is ready."""
        held = tuple(tables.get(region) for region in self._places.regions)
        seen = (held, is_open.tobytes())
        if self._known is None or not _same(self._known, seen):
            self._shares = self._summed(tables, is_open.tolist())
            self._known = seen
        return self._shares

    def _summed(self, tables: Mapping[RegionName, RoutingTable], is_open: _Open) -> Shares:
        entries = {
            (origin, entry.model, entry.tier): entry
            for origin, table in tables.items()
            for entry in table.entries
        }
        weights = np.zeros(self._shares.shape)
        routed = []
        for row, key in zip(weights, self._demands, strict=True):
            entry = entries.get((key.origin, key.model, key.tier))
            shares = [(key.origin, MILLION)]
            if entry is not None:
                shares = [(share.serving, share.weight_ppm) for share in entry.shares]
            for serving, ppm in shares:
                region = self._reachable(serving, key, entry, is_open) if ppm else None
                if region is not None:
                    row[region] += ppm
            routed.append(sum(ppm for _, ppm in shares))
        sums: Shares = np.cumsum(weights, axis=1) / MILLION
        sums[:, -1] = np.array(routed) / MILLION
        return sums

    def _reachable(
        self, serving: RegionName, key: DemandKey, entry: RouteEntry | None, is_open: _Open
    ) -> int | None:
        model = self._places.model_at[key.model]
        for name in (serving, *(self._fallbacks[key] if entry is None else entry.fallback)):
            region = self._places.region_at[name]
            if is_open[region][model]:
                return region
        return None


def _same(
    one: tuple[tuple[RoutingTable | None, ...], bytes],
    other: tuple[tuple[RoutingTable | None, ...], bytes],
) -> bool:
    """The very same tables, and the same regions open."""
    pairs = zip(one[0], other[0], strict=True)
    return one[1] == other[1] and all(before is now for before, now in pairs)


def _by_distance(places: Places, key: DemandKey) -> tuple[RegionName, ...]:
    catalogue = places.catalogue
    return tuple(
        region
        for region in catalogue.nearest_first(key.origin)
        if catalogue.may_serve(key.origin, region, key.model, key.tier)
    )
