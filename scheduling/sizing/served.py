"""The load that placement lets one replica serve, for the planner.

The rows by which best fit places (`scheduling.placement`) bound the batch of a worker, by laws that
follow their engines and lengths that follow their requests; the plan is then made for what placement will
in fact put on a replica.
"""

from __future__ import annotations

from collections.abc import Mapping

from heliostat.catalogue import ModelSpec, TierSpec
from heliostat.model.demand import TokenMix
from heliostat.model.fleet import Fleet
from heliostat.model.names import VmTypeName
from scheduling.laws.law import WorkerLaw
from scheduling.placement.margins import Margins
from scheduling.request import Promise
from scheduling.sizing.configuration import Candidate, configure
from scheduling.sizing.load import Load
from scheduling.sizing.refitted import SHIPPED, LawKey, Refitted, refitted


class ServedByPlacement:
    """Implements `heliostat.ports.deciding.ServedPerReplica`."""

    def __init__(
        self, laws: Mapping[LawKey, Refitted] | None = None, margins: Margins | None = None
    ) -> None:
        """`laws`: those that were refitted; a missing one is the catalogue's."""
        self._laws = laws or {}
        self._margins = margins or Margins()

    def seeing(self, fleet: Fleet) -> ServedByPlacement:
        return ServedByPlacement({**self._laws, **refitted(fleet.laws)}, self._margins)

    def basis(self, model: ModelSpec, vm_type: VmTypeName) -> str:
        found = self._laws.get((model.name, vm_type))
        return f"θ by placement on {SHIPPED if found is None else found.said}"

    def requests_per_second(
        self, model: ModelSpec, vm_type: VmTypeName, spec: TierSpec, mix: TokenMix
    ) -> float | None:
        found = self._laws.get((model.name, vm_type))
        law = WorkerLaw.of(model.engines[vm_type])
        if found is not None and found.believed:
            law = found.over(law)
        inputs = max(1.0, mix.input_tokens)
        promise = Promise(
            ttft_seconds=model.ttft_seconds(spec, inputs), itl_seconds=spec.slo.itl_seconds
        )
        load = Load(
            requests_per_second=0.0,
            input_tokens=inputs,
            output_tokens=max(1.0, mix.output_tokens),
            promise=promise,
        )
        candidate = Candidate(vm_type=vm_type, gpus=1, law=law)
        return configure(candidate, load, self._margins).requests_per_second
