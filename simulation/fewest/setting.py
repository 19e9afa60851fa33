"""One region, one model, and workers of several numbers of GPUs; promises are multiples of an idle worker.

Aladdin (arXiv 2405.06856) sets its SLOs to a multiple of the latency without contention; the worker that
this is taken from is the same for all configurations, so that all are asked the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from heliostat.catalogue import (
    FleetCatalogue,
    ModelSpec,
    PoolSpec,
    Price,
    RegionSpec,
    Slo,
    TierSpec,
    VmType,
)
from heliostat.errors import InvalidInput
from heliostat.model.engine import EngineLaw
from heliostat.model.names import DemandKey, ModelName, PoolKey, RegionName, Tier, VmTypeName
from simulation.profiles.law import LawKind
from simulation.profiles.shipped import engine_law
from simulation.workload.quantiles import LengthLaws

REGION = RegionName("here")
TIER = Tier.INTERACTIVE_FAST
MOST_REPLICAS = 4096
_NO_PREFILL_SECONDS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is asked of a fleet, and which workers there are to build it from.

    `slack`: the promised TTFT and gap are so many times those of an idle worker of `reference_gpus`.
    `decode_only`: prompts come prefilled (split phases), nothing is promised of first tokens.
    """

    model: ModelName = ModelName("llama2-70b")
    gpu: str = "a100-80gb"
    gpu_counts: tuple[int, ...] = (2, 4, 8)
    reference_gpus: int = 8
    lengths: LengthLaws
    slack: float = 3.0
    attainment: float = 0.99
    max_batch: int = 128
    decode_only: bool = False

    def __post_init__(self) -> None:
        if self.slack <= 1:
            raise InvalidInput(
                "setting.slack", f"{self.slack} promises more than an idle worker can keep"
            )
        if self.reference_gpus not in self.gpu_counts:
            raise InvalidInput("setting.reference_gpus", f"{self.reference_gpus} is not offered")

    @property
    def demand(self) -> DemandKey:
        """The one demand that there is."""
        return DemandKey(origin=REGION, model=self.model, tier=TIER)

    def vm_type(self, gpus: int) -> VmTypeName:
        """The worker with so many GPUs."""
        return VmTypeName(f"{self.gpu}-x{gpus}")

    def pool(self, gpus: int) -> PoolKey:
        """Where replicas on so many GPUs stand."""
        return PoolKey(region=REGION, model=self.model, vm_type=self.vm_type(gpus))

    def law(self, gpus: int) -> EngineLaw:
        """The shipped law that is composed of measured operators, which all numbers of GPUs have."""
        law = engine_law(
            self.model, self.gpu, gpus, kind=LawKind.COMPOSED, max_batch=self.max_batch
        )
        if not self.decode_only:
            return law
        return replace(
            law,
            prefill_base=_NO_PREFILL_SECONDS,
            prefill_per_token=_NO_PREFILL_SECONDS,
            prefill_per_token_beyond_knee=0.0,
        )

    def slo(self) -> Slo:
        """Multiples of what a request takes alone on the reference."""
        law = self.law(self.reference_gpus)
        context = self.lengths.prompt.mean + self.lengths.output.mean / 2
        shortest = law.prefill_seconds(1)
        return Slo(
            ttft_floor_seconds=1e6 if self.decode_only else self.slack * shortest,
            ttft_prefill_multiple=0.0 if self.decode_only else self.slack,
            reference_vm_type=self.vm_type(self.reference_gpus),
            itl_seconds=self.slack * law.decode_seconds(1, context),
            latency_budget_seconds=0.0,
            attainment=self.attainment,
        )

    def catalogue(self) -> FleetCatalogue:
        """The whole of it as the engine takes it."""
        vm_types = tuple(
            VmType(name=self.vm_type(gpus), gpu=self.gpu, gpus=gpus) for gpus in self.gpu_counts
        )
        tier = TierSpec(
            tier=TIER,
            slo=self.slo(),
            assumed_input_tokens=self.lengths.prompt.mean,
            assumed_output_tokens=self.lengths.output.mean,
        )
        model = ModelSpec(
            name=self.model,
            weights_bytes=1,
            tiers=(tier,),
            engines={self.vm_type(gpus): self.law(gpus) for gpus in self.gpu_counts},
        )
        return FleetCatalogue(
            regions=(RegionSpec(name=REGION, time_zone="UTC", ingress_endpoint="127.0.0.1:1"),),
            vm_types=vm_types,
            models=(model,),
            pools=tuple(
                PoolSpec(key=self.pool(gpus), min_replicas=0, max_replicas=MOST_REPLICAS)
                for gpus in self.gpu_counts
            ),
            prices={(REGION, vm.name): Price(on_demand=float(vm.gpus)) for vm in vm_types},
            quotas={(REGION, vm.name): MOST_REPLICAS for vm in vm_types},
            round_trip_seconds={(REGION, REGION): 0.0},
            lead_time_priors={},
        )


SPELL = timedelta(minutes=6)
"""Requests come for so long."""
