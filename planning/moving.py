"""How pools may change: what can be started, released or redeployed, when it serves, what it costs."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from heliostat.model.fleet import StartKind
from planning.limits import prices
from planning.milp.instance import Moves
from planning.situation import Situation


def full_moves(situation: Situation) -> Moves:
    """How pools may change: starts, releases and redeployments with their lead times."""
    pools, grid, price = situation.pools, situation.grid, prices(situation)
    stands = [situation.standing[spec.key] for spec in pools]
    start = np.stack([grid.arrival(situation.lead_time(s.key, StartKind.COLD)) for s in pools])
    arriving = np.zeros((len(pools), grid.steps), dtype=np.int64)
    for number, stand in enumerate(stands):
        arriving[number, min(int(start[number, 0]), grid.steps - 1)] = stand.coming
    arcs = _redeploy_arcs(situation)
    settings = situation.settings
    return Moves(
        initial=np.array([stand.ready for stand in stands], dtype=np.int64),
        arriving=arriving,
        start_arrival=start,
        start_cost=price * settings.start_hours,
        change_cost=price * settings.change_hours,
        redeploys=np.array([[a, b] for a, b, _ in arcs], dtype=np.int64).reshape(-1, 2),
        redeploy_arrival=np.array(
            [grid.arrival(lead) for _, _, lead in arcs], dtype=np.int64
        ).reshape(-1, grid.steps),
        redeploy_cost=np.array([price[b] * settings.redeploy_hours for _, b, _ in arcs]),
        fixed_now=np.array(
            [
                bool(stand.held) and spec.key not in situation.overrides
                for spec, stand in zip(pools, stands, strict=True)
            ]
        ),
    )


def _redeploy_arcs(situation: Situation) -> list[tuple[int, int, timedelta]]:
    """Pairs of pools on the same VMs, with the lead time that the weights' place gives."""
    local = {
        (spec.key.region, spec.key.model)
        for spec in situation.pools
        if situation.standing[spec.key].ready > 0
    }
    arcs: list[tuple[int, int, timedelta]] = []
    for a, source in enumerate(situation.pools):
        if not situation.standing[source.key].ready:
            continue
        for b, destination in enumerate(situation.pools):
            same = (source.key.region, source.key.vm_type) == (
                destination.key.region,
                destination.key.vm_type,
            )
            if a == b or not same:
                continue
            near = (destination.key.region, destination.key.model) in local
            kind = StartKind.REDEPLOY_LOCAL_WEIGHTS if near else StartKind.REDEPLOY_REMOTE_WEIGHTS
            arcs.append((a, b, situation.lead_time(destination.key, kind)))
    return arcs
