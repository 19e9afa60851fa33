"""What a pool's replicas cost, and how many of them there may be."""

from __future__ import annotations

import numpy as np

from heliostat.model.names import RegionName, VmTypeName
from planning.arrays import Floats, Ints
from planning.situation import Situation


def prices(situation: Situation) -> Floats:
    """Dollars per replica and hour, by pool."""
    table = situation.catalogue.prices
    return np.array(
        [table[spec.key.region, spec.key.vm_type].on_demand for spec in situation.pools]
    )


def bounds(situation: Situation) -> tuple[Ints, Ints]:
    """Fewest and most replicas by pool and step: limits, overrides, pools that are held, handed
    back or lost."""
    shape = (len(situation.pools), situation.grid.steps)
    lower, upper = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for number, spec in enumerate(situation.pools):
        if spec.key.region == situation.problem.lost_region:
            continue
        lower[number], upper[number] = spec.min_replicas, spec.max_replicas
        override = situation.overrides.get(spec.key)
        if override is not None:
            target = spec.within(override.target_replicas)
            ruled = [span.start < override.expires_at for span in situation.grid.spans]
            lower[number, ruled] = upper[number, ruled] = target
        elif situation.standing[spec.key].held:
            upper[number, 0] = max(spec.max_replicas, situation.standing[spec.key].ready)
        elif spec.key in situation.handed_back:
            lower[number] = spec.within(situation.handed_back[spec.key].replicas)
    return lower, upper


def quota_groups(situation: Situation) -> tuple[Ints, Ints, list[tuple[RegionName, VmTypeName]]]:
    """Group of each pool, quota by group and step (denials live until they decay), and group names."""
    groups = sorted({(spec.key.region, spec.key.vm_type) for spec in situation.pools})
    index = {group: number for number, group in enumerate(groups)}
    member = np.array([index[s.key.region, s.key.vm_type] for s in situation.pools], dtype=np.int64)
    quota = np.zeros((len(groups), situation.grid.steps), dtype=np.int64)
    for group, number in index.items():
        stands = [
            situation.standing[s.key]
            for s in situation.pools
            if (s.key.region, s.key.vm_type) == group
        ]
        fixed = sum(s.coming + (s.ready if s.held else 0) for s in stands)
        quota[number] = max(situation.catalogue.quotas[group], fixed)
        for denial in situation.problem.fleet.denials:
            if (denial.region, denial.vm_type) == group:
                cap = max(denial.most_replicas, sum(s.replicas for s in stands))
                lives = [span.start < denial.until for span in situation.grid.spans]
                quota[number, lives] = np.minimum(quota[number, lives], cap)
    return member, quota, groups
