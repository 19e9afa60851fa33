"""Reasons for targets: the binding constraint, the forecast behind it, one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heliostat.model.counting import replicas_in_words
from heliostat.model.fleet import StartKind
from heliostat.model.names import Tier
from heliostat.model.plan import Reason, Shortage
from planning.arrays import Ints
from planning.bindings import DATA, ENDED, LOST, MAXIMUM, MEASURED, MINIMUM, QUOTA, RULED
from planning.milp.instance import Cover, Instance
from planning.situation import Situation
from planning.solve import Solution

_WORTH_SAYING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """Reads reasons out of a solved instance."""

    situation: Situation
    instance: Instance
    solution: Solution

    def reason(self, number: int, replicas: int) -> Reason:
        """The reason of one pool's target."""
        binding, why = self._binding(number, replicas)
        spec = self.situation.pools[number]
        now = self.situation.standing[spec.key].replicas
        count = replicas_in_words(replicas)
        change = f"{count}, as now" if replicas == now else f"{count}, {now} now"
        basis = self.situation.theta_basis.get((spec.key.model, spec.key.vm_type), "")
        return Reason(
            summary=f"{change}: {why}" + (f"; {basis}" if basis else ""),
            binding=binding,
            forecast=self._forecast(number),
            author=self._author(number),
        )

    def _author(self, number: int) -> str:
        """Whose override rules the pool, or did and is not handed back yet."""
        key = self.situation.pools[number].key
        ruling = self.situation.overrides.get(key) or self.situation.ended.get(key)
        return ruling.author if ruling is not None else ""

    def _binding(self, number: int, replicas: int) -> tuple[str, str]:
        """What decided, and why in words."""
        return self._bound_beforehand(number, replicas) or self._solved(number)

    def _bound_beforehand(self, number: int, replicas: int) -> tuple[str, str] | None:
        """What decided before anything was solved: a loss, a person, a lack of data."""
        spec = self.situation.pools[number]
        key, stand = spec.key, self.situation.standing[spec.key]
        if key.region == self.situation.problem.lost_region:
            return LOST, f"{key.region} is assumed lost"
        override = self.situation.overrides.get(key)
        if override is not None:
            return RULED, (
                f"{override.author} set {override.target_replicas} until "
                f"{override.expires_at:%Y-%m-%d %H:%M} UTC ({override.reason})"
            )
        if stand.held and replicas >= stand.replicas:
            return DATA, f"kept, because {stand.held}"
        back = self.situation.handed_back.get(key)
        if back is not None and replicas == back.replicas:
            return ENDED, f"{back.said}, because its demand has no usable forecast"
        return None

    def _solved(self, number: int) -> tuple[str, str]:
        """Which row of the programme holds the count where it is."""
        spec = self.situation.pools[number]
        key = spec.key
        step = self._deciding_step(number)
        load = self._load(number, step)
        planned = int(self.solution.replicas[number, step])
        share = float(self.solution.share[number, step])
        lead = self.situation.lead_time(key, StartKind.COLD)
        demand = (
            f"{load:.1f} busy replicas of demand at {share:.0%} usable need {planned} "
            f"by {self.situation.grid.spans[step].start:%H:%M} UTC (lead time "
            f"{lead.total_seconds() / 60:.0f} min)"
        )
        if self._quota_binds(number, step):
            return QUOTA, f"the quota of {key.vm_type} in {key.region} is used up; {demand}"
        if planned >= spec.max_replicas > 0:
            return MAXIMUM, f"max_replicas is {spec.max_replicas}; {demand}"
        if self.solution.over_budget.size and self.solution.over_budget[0, step] > _WORTH_SAYING:
            return "budget", f"the budget is used up; {demand}"
        if load > share * (planned - 1) + _WORTH_SAYING and load > 0:
            surge = self._surge(number, step)
            return (MEASURED, f"{surge}; {demand}") if surge else ("demand", demand)
        if planned and planned <= spec.min_replicas:
            return MINIMUM, f"min_replicas is {spec.min_replicas}; {demand}"
        if not planned:
            return "price", "demand is served more cheaply, or nearer, by other pools"
        cover = self._cover_binding(number, step)
        if cover is not None:
            return cover.kind, f"{cover.label} needs up to {cover.need.max():.2f} requests/s held"
        return "change", f"moving away costs more than it saves; {demand}"

    def _deciding_step(self, number: int) -> int:
        """The largest step among those that orders of now can serve first; the last of equals."""
        assert self.instance.moves is not None
        first = int(self.instance.moves.start_arrival[number, 0])
        counts = self.solution.replicas[number, : min(first, self.instance.steps - 1) + 1]
        return int(np.flatnonzero(counts == counts.max())[-1])

    def _surge(self, number: int, step: int) -> str:
        """The largest flow that is planned as measured, because its forecast said less; "" = none."""
        if step >= self.situation.grid.near:
            return ""
        rows = self.situation.wanted.regional
        flows = {
            int(self.instance.arc_demand[arc]): float(self.solution.flows[arc, step])
            for arc in np.flatnonzero(self.instance.arc_pool == number)
        }
        surging = {
            c: flow for c, flow in flows.items() if rows[c].measured and flow > _WORTH_SAYING
        }
        if not surging:
            return ""
        row = rows[max(surging, key=lambda c: surging[c])]
        return f"{row.measured:.2f} requests/s of {row.key} measured, above forecast"

    def _load(self, number: int, step: int) -> float:
        arcs = self.instance.arc_pool == number
        return float((self.instance.arc_load[arcs] * self.solution.flows[arcs, step]).sum())

    def _quota_binds(self, number: int, step: int) -> bool:
        group = self.instance.quota_group
        same = group == group[number]
        used = int(self.solution.replicas[same, step].sum())
        served = self.instance.arc_demand[self.instance.arc_pool == number]
        short = float(self.solution.shortage[served, step].sum()) > _WORTH_SAYING
        return short and used >= int(self.instance.quota[group[number], step])

    def _cover_binding(self, number: int, step: int) -> Cover | None:
        for cover in self.instance.covers:
            mine = np.flatnonzero(cover.pools == number)
            if not len(mine):
                continue
            usable = (
                self.solution.share[cover.pools, step] * self.solution.replicas[cover.pools, step]
            )
            spare = float(cover.weight @ usable - cover.need[step])
            if spare < float(cover.weight[mine[0]]):
                return cover
        return None

    def _forecast(self, number: int) -> str:
        arcs = np.flatnonzero(self.instance.arc_pool == number)
        flow = {int(a): float(self.solution.flows[a].max(initial=0.0)) for a in arcs}
        used = [a for a in arcs if flow[int(a)] > _WORTH_SAYING] or list(arcs)
        if not used:
            return ""
        largest = max(used, key=lambda a: flow[int(a)])
        wanted = self.situation.wanted.regional[int(self.instance.arc_demand[largest])]
        most = float(wanted.own.max())
        if wanted.measured is not None and most <= wanted.measured:
            return f"{wanted.source}: no more than the {most:.2f} requests/s measured"
        return f"{wanted.source}: up to {most:.2f} requests/s"


def shortages(situation: Situation, instance: Instance, solution: Solution) -> tuple[Shortage, ...]:
    """Demand that the plan leaves unserved in its worst step, with the limiting constraint."""
    found: list[Shortage] = []
    for number in range(len(instance.demand)):
        wanted = situation.wanted.regional[number]
        missing = solution.shortage[number]
        step = int(np.argmax(missing))
        if missing[step] <= _WORTH_SAYING:
            continue
        pools = instance.arc_pool[instance.arc_demand == number]
        found.append(
            Shortage(
                demand=wanted.key,
                requests_per_second=float(missing[step]),
                reason=_in_the_way(situation, instance, solution, pools, step, wanted.key.tier),
            )
        )
    return tuple(found)


def _in_the_way(
    situation: Situation,
    instance: Instance,
    solution: Solution,
    pools: Ints,
    step: int,
    tier: Tier,
) -> str:
    when = f"{situation.grid.spans[step].start:%H:%M} UTC"
    if not len(pools):
        return f"no pool may serve {tier} (residency, latency budget or SLO out of reach)"
    assert instance.moves is not None
    if all(instance.moves.start_arrival[p, 0] > step for p in pools):
        return f"at {when} no order placed now can be ready"
    groups = instance.quota_group
    if all(
        solution.replicas[groups == groups[p], step].sum() >= instance.quota[groups[p], step]
        for p in pools
    ):
        return f"at {when} the quotas of all pools that may serve it are used up"
    return f"at {when} limits of the pools that may serve it, or the budget, prevent it"
