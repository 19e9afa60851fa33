"""The entries of the catalogue: a region, a VM type, a model with its tiers and SLOs, a pool, a price.

Values only. What the store has measured since (lead times, token mixes) overrides the priors here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from heliostat.errors import UnknownTier
from heliostat.model.demand import TokenMix
from heliostat.model.engine import EngineLaw
from heliostat.model.fleet import StartKind
from heliostat.model.names import ModelName, PoolKey, RegionName, Tier, VmTypeName
from heliostat.read_only import read_only


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
    engines: Mapping[VmTypeName, EngineLaw]

    def __post_init__(self) -> None:
        object.__setattr__(self, "engines", read_only(self.engines))

    def tier(self, tier: Tier) -> TierSpec | None:
        """The tier's promise, None when the model does not offer the tier."""
        return next((spec for spec in self.tiers if spec.tier is tier), None)

    def offered(self, tier: Tier) -> TierSpec:
        """The tier's promise. Raises UnknownTier when the model does not offer the tier."""
        spec = self.tier(tier)
        if spec is None:
            tiers = ", ".join(one.tier for one in self.tiers)
            raise UnknownTier(tier, remedy=f"{self.name} offers {tiers}")
        return spec

    def ttft_seconds(self, spec: TierSpec, input_tokens: float) -> float:
        """The TTFT bound that one of its tiers promises to a prompt of that length.

        The floor alone where the model has no engine law for the reference VM type.
        """
        reference = self.engines.get(spec.slo.reference_vm_type)
        return spec.slo.ttft_seconds(reference.prefill_seconds(input_tokens) if reference else 0.0)

    def assumed_mix(self, spec: TierSpec) -> TokenMix:
        """The tokens per request of one of its tiers, until they are measured."""
        return TokenMix(
            model=self.name,
            tier=spec.tier,
            input_tokens=spec.assumed_input_tokens,
            output_tokens=spec.assumed_output_tokens,
        )


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
