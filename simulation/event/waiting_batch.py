"""Batch work that waits in a region, by deadline, read off the engine's bins."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np

from heliostat.model.fleet import BacklogGroup, BatchBacklog
from heliostat.model.names import RegionName
from simulation.event.arrays import Arrays
from simulation.event.layout import BACKLOG_BINS, BATCH, DEADLINE_BINS
from simulation.event.setting import Places


def waiting_batch(
    places: Places, arrays: Arrays, region: RegionName, start: datetime, now: datetime
) -> tuple[BatchBacklog, ...]:
    """A value per model that serves batch work; groups are 96ths of its deadline wide, and due when their
    first could be: at the begin of that 96th, and not before now.

    `start` is the instant that the engine counts from.
    """
    demands = arrays["demands"]
    at = (now - start).total_seconds()
    found = []
    for model in places.models:
        of_batch = (demands["model"] == places.model_at[model]) & (demands["tier"] == BATCH)
        if not of_batch.any():
            continue
        width = float(demands["patience"][of_batch.argmax()]) / DEADLINE_BINS
        cell = places.region_at[region] * len(places.models) + places.model_at[model]
        counts = arrays["backlog"][cell * BACKLOG_BINS : (cell + 1) * BACKLOG_BINS]
        oldest = math.floor(at / width) - (BACKLOG_BINS - DEADLINE_BINS - 2)
        groups = sorted(
            (oldest + (place - oldest) % BACKLOG_BINS, int(counts[place]))
            for place in np.flatnonzero(counts).tolist()
        )
        found.append(
            BatchBacklog(
                region=region,
                model=model,
                groups=tuple(
                    BacklogGroup(
                        due=max(now, start + timedelta(seconds=math.floor(number * width))),
                        requests=requests,
                    )
                    for number, requests in groups
                ),
            )
        )
    return tuple(found)
