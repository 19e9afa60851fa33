"""How much work the demand of each step is, whatever serves it: sums that costs are linear in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.engine import EngineLaw
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, VmTypeName
from heliostat.model.usage import WINDOW
from simulation.arrivals import ArrivalRates
from simulation.bounds.goodput import Practice, least_prefill_seconds
from simulation.columns import Floats
from simulation.requests.reach import Reach
from simulation.requests.source import RequestSource


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """C demands over T steps from `span.start`, summed over the requests that arrive in each step.

    A request of I prompt and O output tokens takes part in O − 1 `iterations`, with I + O/2 tokens
    of context each (`context_iterations`). `prefill_seconds` holds (C, T) per VM type, the least that
    its prefills can take there; a VM type without a law for the model has zeros that nobody reads.
    """

    span: Span
    step: timedelta
    demands: tuple[DemandKey, ...]
    out_of_reach: float
    """Requests left out because nobody could have kept their promise."""
    requests: Floats
    iterations: Floats
    context_iterations: Floats
    prefill_seconds: Mapping[VmTypeName, Floats]

    @property
    def steps(self) -> int:
        """T."""
        return int(self.requests.shape[1])


def work_of_rates(
    catalogue: FleetCatalogue,
    arrivals: ArrivalRates,
    span: Span,
    step: timedelta,
    practice: Practice,
) -> Work:
    """The work of minutes whose requests all have the minute's mean lengths; holes hold nothing.

    Every sum is convex in the lengths of requests or nearly so: single requests of the same means
    are at least this much work as long as prompts and outputs are not much correlated the other way.
    Raises InvalidInput when the span is not whole steps of whole minutes of the arrivals.
    """
    per_step = _steps_of(span, step)[1]
    within = arrivals.within(span)
    columns = [within.by_demand[key] for key in within.demands]
    shape = (len(columns), -1, per_step)
    offered, inputs, outputs = (
        np.nan_to_num(np.array([getattr(column, name) for column in columns])).reshape(shape)
        for name in ("offered", "input_tokens", "output_tokens")
    )
    each = np.maximum(offered, 1.0)
    prompt, output = inputs / each, outputs / each
    iterations = np.maximum(0.0, output - 1)
    return Work(
        span=span,
        step=step,
        demands=within.demands,
        out_of_reach=0.0,
        requests=offered.sum(axis=2),
        iterations=(offered * iterations).sum(axis=2),
        context_iterations=(offered * iterations * (prompt + output / 2)).sum(axis=2),
        prefill_seconds={
            vm_type.name: np.stack(
                [
                    (offered[c] * _prefill(law, prompt[c], practice)).sum(axis=1)
                    for c, law in enumerate(_laws(catalogue, within.demands, vm_type.name))
                ]
            )
            for vm_type in catalogue.vm_types
        },
    )


def work_of_requests(
    catalogue: FleetCatalogue,
    source: RequestSource,
    span: Span,
    step: timedelta,
    practice: Practice,
) -> Work:
    """The same, request by request, without those that are out of reach. Raises InvalidInput as above."""
    steps, _ = _steps_of(span, step)
    demands = source.demands
    shape = (len(demands), steps)
    requests, iterations, contexts = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    prefills = {vm_type.name: np.zeros(shape) for vm_type in catalogue.vm_types}
    reach, out_of_reach = Reach(catalogue, demands), 0
    for number in range(steps):
        begin = span.start + step * number
        asked = source.between(begin, begin + step)
        kept = reach.of(asked)
        out_of_reach += len(asked) - int(kept.sum())
        demand = asked.demand[kept]
        prompt = asked.input_tokens[kept].astype(np.float64)
        output = asked.output_tokens[kept].astype(np.float64)
        turns = np.maximum(0.0, output - 1)

        for into, values in (
            (requests, np.ones_like(prompt)),
            (iterations, turns),
            (contexts, turns * (prompt + output / 2)),
        ):
            np.add.at(into[:, number], demand, values)
        for vm_type, seconds in prefills.items():
            for c, law in enumerate(_laws(catalogue, demands, vm_type)):
                own = prompt[demand == c]
                seconds[c, number] = _prefill(law, own, practice).sum()
    return Work(
        span=span,
        step=step,
        demands=demands,
        out_of_reach=float(out_of_reach),
        requests=requests,
        iterations=iterations,
        context_iterations=contexts,
        prefill_seconds=prefills,
    )


def _steps_of(span: Span, step: timedelta) -> tuple[int, int]:
    """Steps in the span, minutes in a step."""
    if step < WINDOW or step % WINDOW or span.length % step or span.length <= timedelta(0):
        raise InvalidInput("step", f"{span.length} is not whole steps of {step} in whole minutes")
    return span.length // step, step // WINDOW


def _laws(
    catalogue: FleetCatalogue, demands: tuple[DemandKey, ...], vm_type: VmTypeName
) -> list[EngineLaw | None]:
    return [catalogue.model(key.model).engines.get(vm_type) for key in demands]


def _prefill(law: EngineLaw | None, prompt: Floats, practice: Practice) -> Floats:
    return np.zeros_like(prompt) if law is None else least_prefill_seconds(law, prompt, practice)
