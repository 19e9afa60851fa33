"""What the operator owns and promises: regions, VM types, models, pools, prices, quotas, SLOs.

Values only; `parse` makes them from a mapping. What the store has measured since (lead times,
token mixes) overrides the priors here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from heliostat.errors import (
    InvalidCatalogue,
    UnknownModel,
    UnknownPool,
    UnknownRegion,
    UnknownVmType,
)
from heliostat.model.engine import EngineLaw
from heliostat.model.fleet import StartKind
from heliostat.model.governance import Guardrails
from heliostat.model.names import DemandKey, ModelName, PoolKey, RegionName, Tier, VmTypeName


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSpec:
    """A region: where its clock stands, where its ingress listens, which residency zones it is in."""

    name: RegionName
    time_zone: str
    ingress_endpoint: str
    residency: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class VmType:
    """A GPU VM SKU; one VM carries one replica."""

    name: VmTypeName
    gpu: str
    gpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """What one tier of one model promises.

    TTFT bound = max(`ttft_floor_seconds`, `ttft_prefill_multiple` × unloaded prefill of the very
    prompt on `reference_vm_type`). `latency_budget_seconds` is the network round trip that a
    forwarded request may add. `deadline` is the completion deadline of batch work.
    """

    ttft_floor_seconds: float
    ttft_prefill_multiple: float = 0.0
    reference_vm_type: VmTypeName = VmTypeName("")
    itl_seconds: float
    latency_budget_seconds: float
    deadline: timedelta | None = None
    attainment: float = 0.99
    """The share of requests that must meet it."""

    def ttft_seconds(self, unloaded_prefill_seconds: float) -> float:
        """The TTFT bound of a prompt, given its unloaded prefill time on the reference VM."""
        return max(self.ttft_floor_seconds, self.ttft_prefill_multiple * unloaded_prefill_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSpec:
    """One tier of one model: its SLO, the tokens that a request is assumed to have, where it may run."""

    tier: Tier
    slo: Slo
    assumed_input_tokens: float
    assumed_output_tokens: float
    residency: frozenset[str] = frozenset()
    """Zones in which its requests must be served; empty = anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model: its weights, its tiers, and how it runs on each VM type that can hold it."""

    name: ModelName
    weights_bytes: int
    tiers: tuple[TierSpec, ...]
    engines: dict[VmTypeName, EngineLaw]

    def tier(self, tier: Tier) -> TierSpec | None:
        """The tier's promise, None when the model does not offer the tier."""
        return next((spec for spec in self.tiers if spec.tier is tier), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """A pool that may exist, within how many replicas."""

    key: PoolKey
    min_replicas: int
    max_replicas: int
    launch_template: str = ""
    """As the operator named it; empty = `heliostat-<model>-<vm type>`."""

    @property
    def template_name(self) -> str:
        """The cloud's launch template for VMs of this pool."""
        return self.launch_template or f"heliostat-{self.key.model}-{self.key.vm_type}"

    def within(self, replicas: int) -> int:
        """The count of replicas nearest to that one which the pool's limits allow."""
        return min(max(replicas, self.min_replicas), self.max_replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Dollars per VM-hour."""

    on_demand: float
    reserved: float | None = None
    reserved_vms: int = 0
    """VMs that are paid for anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTimePrior:
    """Assumed order-to-ready time of one kind of start, until measured ones replace it."""

    start_kind: StartKind
    p50: timedelta
    p90: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCatalogue:
    """The whole catalogue, consistent by construction: every key that it holds resolves."""

    regions: tuple[RegionSpec, ...]
    vm_types: tuple[VmType, ...]
    models: tuple[ModelSpec, ...]
    pools: tuple[PoolSpec, ...]
    prices: dict[tuple[RegionName, VmTypeName], Price]
    quotas: dict[tuple[RegionName, VmTypeName], int]
    round_trip_seconds: dict[tuple[RegionName, RegionName], float]
    lead_time_priors: dict[tuple[VmTypeName, StartKind], LeadTimePrior]
    guardrails: Guardrails = Guardrails()
    _pools: dict[PoolKey, PoolSpec] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        self._pools.update({pool.key: pool for pool in self.pools})
        if len(self._pools) != len(self.pools):
            raise InvalidCatalogue("pools", "a pool appears twice")

    @property
    def demands(self) -> tuple[DemandKey, ...]:
        """Every demand that can be: each region as origin, each model, each tier that it offers."""
        return tuple(
            DemandKey(origin=region.name, model=model.name, tier=spec.tier)
            for region in self.regions
            for model in self.models
            for spec in model.tiers
        )

    def region(self, name: str) -> RegionSpec:
        """Raises UnknownRegion."""
        for region in self.regions:
            if region.name == name:
                return region
        raise UnknownRegion(name, remedy=f"regions are {', '.join(r.name for r in self.regions)}")

    def model(self, name: str) -> ModelSpec:
        """Raises UnknownModel."""
        for model in self.models:
            if model.name == name:
                return model
        raise UnknownModel(name, remedy=f"models are {', '.join(m.name for m in self.models)}")

    def vm_type(self, name: str) -> VmType:
        """Raises UnknownVmType."""
        for vm_type in self.vm_types:
            if vm_type.name == name:
                return vm_type
        raise UnknownVmType(name, remedy=f"VM types are {', '.join(v.name for v in self.vm_types)}")

    def pool(self, key: PoolKey) -> PoolSpec:
        """Raises UnknownRegion, UnknownModel, UnknownVmType or UnknownPool, the first that fits."""
        found = self._pools.get(key)
        if found is None:
            self.region(key.region)
            self.model(key.model)
            self.vm_type(key.vm_type)
            raise UnknownPool(key, remedy="the catalogue offers no such combination")
        return found

    def law(self, model: ModelName, vm_type: VmTypeName) -> EngineLaw:
        """How the model runs on that VM type. Raises UnknownModel or UnknownVmType."""
        law = self.model(model).engines.get(vm_type)
        if law is None:
            raise UnknownVmType(vm_type, remedy=f"{model} has no engine law for it")
        return law

    def round_trip(self, origin: RegionName, serving: RegionName) -> float:
        """Network round trip in seconds between two known regions."""
        return self.round_trip_seconds[origin, serving]

    def nearest_first(self, origin: RegionName) -> tuple[RegionName, ...]:
        """All regions by round trip from `origin`, itself first; ties by name."""
        names = (region.name for region in self.regions)
        return tuple(sorted(names, key=lambda to: (to != origin, self.round_trip(origin, to), to)))

    def may_serve(
        self, origin: RegionName, serving: RegionName, model: ModelName, tier: Tier
    ) -> bool:
        """True when residency and the tier's latency budget let `serving` take these requests."""
        spec = self.model(model).tier(tier)
        if spec is None:
            return False
        if spec.residency and not spec.residency & self.region(serving).residency:
            return False
        if origin == serving:
            return True
        return self.round_trip(origin, serving) <= spec.slo.latency_budget_seconds
