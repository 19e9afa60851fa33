"""From a situation to an instance in arrays; pools and demands keep the situation's order."""

from __future__ import annotations

import numpy as np

from planning.covering import heliostat_covers
from planning.limits import bounds, prices, quota_groups
from planning.milp.instance import Instance
from planning.moving import full_moves
from planning.serving import flow_arcs, shortage_prices, typical_sizes, usable_table, work_of
from planning.situation import Situation


def full_instance(situation: Situation) -> Instance:
    """The receding-horizon instance: flows, moves, quotas, floors, own share, N − 1, budget."""
    arcs = flow_arcs(situation)
    lower, upper = bounds(situation)
    group, quota, _ = quota_groups(situation)
    return Instance(
        price=prices(situation),
        step_hours=situation.grid.hours,
        demand=np.array([wanted.pooled for wanted in situation.wanted.regional]).reshape(
            -1, situation.grid.steps
        ),
        arc_demand=arcs.demand,
        arc_pool=arcs.pool,
        arc_load=arcs.load,
        arc_cost=arcs.cost,
        shortage_price=shortage_prices(situation),
        lower=lower,
        upper=upper,
        quota_group=group,
        quota=quota,
        usable=usable_table(situation),
        typical=typical_sizes(situation, arcs),
        covers=heliostat_covers(situation),
        moves=full_moves(situation),
        budget=situation.catalogue.guardrails.budget_dollars_per_hour,
        work=work_of(situation, arcs),
    )
