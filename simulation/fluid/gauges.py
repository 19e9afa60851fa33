"""What the engines of each pool show after a minute: running, waiting, utilisation, KV occupancy."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from heliostat.model.names import PoolKey, Tier
from simulation.columns import Floats
from simulation.engine import PoolGauge
from simulation.fluid.grid import TIERS, Grid
from simulation.fluid.promises import Promises
from simulation.fluid.service import MINUTE_SECONDS, Served

_LAST_INTERACTIVE = TIERS.index(Tier.INTERACTIVE_NORMAL)


def read_gauges(
    grid: Grid,
    promises: Promises,
    served: Served,
    *,
    waiting: Floats,
    waits: Floats,
    ready: Mapping[PoolKey, float],
) -> dict[PoolKey, PoolGauge]:
    """A gauge per pool with ready replicas.

    `waiting` (R, M, K) requests are left in the queues, `waits` (R, M, G, K) are waits by chance.
    Utilisation = max(KV occupancy, share of the replicas' time in use, queue delay ÷ TTFT promise),
    of the promise its part that holds for every prompt. Replicas busy with interactive work are as
    many as perfect packing needs: the fluid knows no single replica.
    """
    promised = np.where(promises.ttft_floor > 0, promises.ttft_floor, np.inf)
    delay = waiting / np.maximum(served.alone / MINUTE_SECONDS, 1e-9)
    late = ((delay[:, :, None, :] + waits) / promised[:, None, :]).max(axis=-1)
    utilisation = np.maximum(np.maximum(served.kv_occupancy, served.load), late)
    of_model = grid.pools(ready).sum(axis=-1)
    gauges = {}
    for pool, replicas in ready.items():
        if replicas <= 0:
            continue
        r, m, _ = place = grid.place(pool)
        gauges[pool] = PoolGauge(
            running_requests=round(float(served.batch[place]) * replicas),
            waiting_requests=round(float(waiting[r, m].sum()) * replicas / of_model[r, m]),
            utilisation=round(float(utilisation[place]), 6),
            kv_occupancy=round(float(served.kv_occupancy[place]), 6),
            interactive_busy_replicas=math.ceil(
                float(served.load_up_to[place][_LAST_INTERACTIVE]) * replicas - 1e-9
            ),
        )
    return gauges
