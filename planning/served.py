"""θ from placement instead of `planning.throughput`.

The reserve for queueing (ρ) stays the planner's. A VM type on which the tier's SLO is out of reach by
the planner's own law stays excluded, whatever the source says.
"""

from __future__ import annotations

from dataclasses import replace

from heliostat.ports.deciding import PlanningProblem, ServedPerReplica
from planning.grid import horizon
from planning.settings import PlannerSettings
from planning.situation import Situation, look
from planning.throughput import Thetas, Throughput


def situated(
    problem: PlanningProblem, settings: PlannerSettings, served: ServedPerReplica | None
) -> Situation:
    """The problem in the planner's terms, with θ from that source where there is one."""
    situation = look(problem, settings, horizon(problem.at, settings))
    if served is None:
        return situation
    source = served.seeing(problem.fleet)
    kinds = {(spec.key.model, spec.key.vm_type) for spec in situation.pools}
    said = {
        (name, vm_type): source.basis(situation.catalogue.model(name), vm_type)
        for name, vm_type in kinds
    }
    return replace(situation, thetas=thetas_by(source, situation), theta_basis=said)


def thetas_by(served: ServedPerReplica, situation: Situation) -> Thetas:
    """The situation's θ, with the source's rate wherever it has one."""
    catalogue = situation.catalogue
    mixes = catalogue.demand_mixes(situation.problem.mixes)
    found = dict(situation.thetas)
    for key, own in situation.thetas.items():
        if own.requests_per_second <= 0:
            continue
        model, mix = catalogue.model(own.model), mixes[key[0]]
        rate = served.requests_per_second(model, own.vm_type, model.offered(own.tier), mix)
        if rate is not None:
            found[key] = _at(own, rate)
    return found


def _at(own: Throughput, rate: float) -> Throughput:
    """The same replica at that rate: prefills take a share of its time in proportion."""
    if rate <= 0:
        said = f"{own.model} on {own.vm_type} gets no {own.tier} requests from placement"
        return replace(own, requests_per_second=0.0, excluded=said)
    share = min(1.0, own.prefill_share * rate / own.requests_per_second)
    return replace(own, requests_per_second=rate, prefill_share=share)
