"""The whole fleet catalogue and look-ups in it: an unknown name is an error that says what exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from heliostat.catalogue.specs import (
    LeadTimePrior,
    ModelSpec,
    PoolSpec,
    Price,
    RegionSpec,
    VmType,
)
from heliostat.errors import (
    InvalidCatalogue,
    UnknownModel,
    UnknownPool,
    UnknownRegion,
    UnknownVmType,
)
from heliostat.model.demand import TokenMix
from heliostat.model.engine import EngineLaw
from heliostat.model.fleet import StartKind
from heliostat.model.governance import Guardrails
from heliostat.model.names import (
    EVERYWHERE,
    DemandKey,
    ModelName,
    PoolKey,
    RegionName,
    Tier,
    VmTypeName,
)
from heliostat.read_only import read_only


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCatalogue:
    """The whole catalogue, consistent by construction: every key that it holds resolves.

    Its mappings are read-only.
    """

    regions: tuple[RegionSpec, ...]
    vm_types: tuple[VmType, ...]
    models: tuple[ModelSpec, ...]
    pools: tuple[PoolSpec, ...]
    prices: Mapping[tuple[RegionName, VmTypeName], Price]
    quotas: Mapping[tuple[RegionName, VmTypeName], int]
    round_trip_seconds: Mapping[tuple[RegionName, RegionName], float]
    lead_time_priors: Mapping[tuple[VmTypeName, StartKind], LeadTimePrior]
    guardrails: Guardrails = Guardrails()
    demands: tuple[DemandKey, ...] = field(init=False, repr=False, compare=False, default=())
    """Every demand that can be: each region as origin, each model, each tier that it offers."""
    _pools: Mapping[PoolKey, PoolSpec] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _regions: Mapping[str, RegionSpec] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _models: Mapping[str, ModelSpec] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for name in ("prices", "quotas", "round_trip_seconds", "lead_time_priors"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        object.__setattr__(self, "_pools", read_only({pool.key: pool for pool in self.pools}))
        if len(self._pools) != len(self.pools):
            raise InvalidCatalogue("pools", "a pool appears twice")
        object.__setattr__(self, "_regions", read_only({one.name: one for one in self.regions}))
        object.__setattr__(self, "_models", read_only({one.name: one for one in self.models}))
        object.__setattr__(self, "demands", tuple(_demands(self.regions, self.models)))

    def __hash__(self) -> int:
        """Equal catalogues have the same regions: what is derived from a catalogue can be remembered."""
        return hash(tuple([region.name for region in self.regions]))

    def mixes(self, measured: Iterable[TokenMix]) -> dict[tuple[ModelName, Tier], TokenMix]:
        """Token mixes of every model and tier that it offers, all origins together: as measured, else as
        it assumes."""
        known = {(mix.model, mix.tier): mix for mix in measured if mix.origin == EVERYWHERE}
        return {
            (model.name, spec.tier): known.get((model.name, spec.tier)) or model.assumed_mix(spec)
            for model in self.models
            for spec in model.tiers
        }

    def demand_mixes(self, measured: Iterable[TokenMix]) -> dict[DemandKey, TokenMix]:
        """Token mixes of every demand that can be and of its sum over all origins: as measured at that
        origin, else of all origins together, else as it assumes."""
        given = tuple(measured)
        common = self.mixes(given)
        known = {(mix.origin, mix.model, mix.tier): mix for mix in given}
        keys = (*self.demands, *(key.everywhere for key in self.demands))
        return {
            key: known.get((key.origin, key.model, key.tier)) or common[key.model, key.tier]
            for key in keys
        }

    def region(self, name: str) -> RegionSpec:
        """Raises UnknownRegion."""
        found = self._regions.get(name)
        if found is None:
            names = ", ".join(self._regions)
            raise UnknownRegion(name, remedy=f"regions are {names}")
        return found

    def model(self, name: str) -> ModelSpec:
        """Raises UnknownModel."""
        found = self._models.get(name)
        if found is None:
            names = ", ".join(self._models)
            raise UnknownModel(name, remedy=f"models are {names}")
        return found

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


def _demands(regions: Iterable[RegionSpec], models: Iterable[ModelSpec]) -> Iterator[DemandKey]:
    for region in regions:
        for model in models:
            for spec in model.tiers:
                yield DemandKey(origin=region.name, model=model.name, tier=spec.tier)
