"""Balance: regions are filled evenly, so that one region's peak uses the headroom of all.

Requests of an origin are spread over the regions in its pool (those that may serve it, near enough) in
proportion to what is ready there. A minute's burst at one origin then reaches every region thinned, without
anybody having to react to it. Where pools differ between origins, each origin in turn pours its requests
where least is in use, until nothing moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heliostat.model.names import RegionName
from planning.routing.fill import Placement, Want

_ROUNDS = 8
_CLOSE = 0.005
"""Regions whose use differs by less are in balance."""
_NOTHING = 1e-12


def balance(
    wants: Sequence[Want], size: Mapping[RegionName, float], load: dict[RegionName, float]
) -> Placement:
    """Place all of one tier's demand in balance with what is placed already, and book it in `load`.

    `size` are the replicas of each region, `load` those that are busy. More than fits is spread alike:
    nothing is left over. Every want needs a region that serves it.
    """
    placed: Placement = {}
    for want in wants:
        placed[want.origin] = _in_proportion(want, size)
        _book(load, want, placed[want.origin], 1.0)
    for _ in range(_ROUNDS):
        if all(_is_balanced(want, load, size) for want in wants):
            break
        for want in wants:
            _book(load, want, placed[want.origin], -1.0)
            placed[want.origin] = _poured(want, load, size)
            _book(load, want, placed[want.origin], 1.0)
    return placed


def _in_proportion(want: Want, size: Mapping[RegionName, float]) -> dict[RegionName, float]:
    total = sum(size[region] for region in want.serving)
    busy = want.requests_per_second / sum(
        size[region] / total * want.throughput[region] for region in want.serving
    )
    return {
        region: busy * size[region] / total * want.throughput[region] for region in want.serving
    }


def _book(
    load: dict[RegionName, float], want: Want, rates: Mapping[RegionName, float], sign: float
) -> None:
    for region, rate in rates.items():
        load[region] += sign * rate / want.throughput[region]


def _is_balanced(
    want: Want, load: Mapping[RegionName, float], size: Mapping[RegionName, float]
) -> bool:
    used = [load[region] / size[region] for region in want.serving]
    return max(used) - min(used) <= _CLOSE


def _poured(
    want: Want, load: Mapping[RegionName, float], size: Mapping[RegionName, float]
) -> dict[RegionName, float]:
    """The least used regions are filled to one level, just high enough for the whole demand."""
    by_use = sorted(want.serving, key=lambda region: load[region] / size[region])
    level, speed, offset = 0.0, 0.0, 0.0
    for place, region in enumerate(by_use):
        speed += size[region] * want.throughput[region]
        offset += load[region] * want.throughput[region]
        level = (want.requests_per_second + offset) / speed
        following = by_use[place + 1] if place + 1 < len(by_use) else None
        if following is None or level <= load[following] / size[following]:
            break
    return {
        region: rate
        for region in want.serving
        if (rate := (level * size[region] - load[region]) * want.throughput[region]) > _NOTHING
    }
