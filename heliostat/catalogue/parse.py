"""From a plain mapping (a parsed YAML file) to a `FleetCatalogue`; every complaint names its key path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from heliostat.catalogue.values import (
    FleetCatalogue,
    LeadTimePrior,
    ModelSpec,
    PoolSpec,
    Price,
    RegionSpec,
    Slo,
    TierSpec,
    VmType,
)
from heliostat.errors import HeliostatError, InvalidCatalogue
from heliostat.model.engine import EngineLaw
from heliostat.model.fleet import StartKind
from heliostat.model.governance import Guardrails
from heliostat.model.names import ModelName, PoolKey, RegionName, Tier, VmTypeName


class Reader:
    """A mapping, list or scalar and the path that led to it."""

    def __init__(self, value: Any, path: str = "") -> None:
        self.value = value
        self.path = path

    def fail(self, message: str) -> InvalidCatalogue:
        """The error that names this place."""
        return InvalidCatalogue(self.path or "catalogue", message)

    def has(self, key: str) -> bool:
        """True when the key is there and not null."""
        return isinstance(self.value, Mapping) and self.value.get(key) is not None

    def at(self, key: str) -> Reader:
        """The value under a key. Raises when it is missing."""
        if not isinstance(self.value, Mapping):
            raise self.fail("must be a mapping")
        if self.value.get(key) is None:
            raise InvalidCatalogue(f"{self.path}.{key}".lstrip("."), "is missing")
        return Reader(self.value[key], f"{self.path}.{key}".lstrip("."))

    def only(self, *keys: str) -> Reader:
        """Itself, when it holds no other keys than these."""
        if not isinstance(self.value, Mapping):
            raise self.fail("must be a mapping")
        for key in self.value:
            if key not in keys:
                raise InvalidCatalogue(
                    f"{self.path}.{key}".lstrip("."), f"is not known; known are {', '.join(keys)}"
                )
        return self

    def items(self) -> list[tuple[str, Reader]]:
        """The entries of a mapping."""
        if not isinstance(self.value, Mapping):
            raise self.fail("must be a mapping")
        return [
            (str(key), Reader(value, f"{self.path}.{key}".lstrip(".")))
            for key, value in self.value.items()
        ]

    def each(self) -> list[Reader]:
        """The elements of a list."""
        if not isinstance(self.value, Sequence) or isinstance(self.value, str):
            raise self.fail("must be a list")
        return [Reader(value, f"{self.path}[{i}]") for i, value in enumerate(self.value)]

    def text(self) -> str:
        """A non-empty string."""
        if not isinstance(self.value, str) or not self.value:
            raise self.fail(f"must be a non-empty string, not {self.value!r}")
        return self.value

    def number(self, *, least: float = 0.0, above: float | None = None) -> float:
        """A finite number within its bounds."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise self.fail(f"must be a number, not {value!r}")
        if value < least or (above is not None and value <= above) or value == float("inf"):
            raise self.fail(f"{value} is out of range")
        return float(value)

    def count(self, *, least: int = 0) -> int:
        """A whole number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < least:
            raise self.fail(f"must be a whole number of at least {least}, not {self.value!r}")
        return self.value

    def seconds(self) -> timedelta:
        """A length of time given in seconds."""
        return timedelta(seconds=self.number())


def parse_catalogue(mapping: Mapping[str, Any]) -> FleetCatalogue:
    """The catalogue behind a mapping. Raises InvalidCatalogue, naming the key path."""
    root = Reader(mapping).only(
        "version",
        "regions",
        "vm_types",
        "models",
        "pools",
        "round_trip_ms",
        "lead_times",
        "guardrails",
    )
    if root.at("version").value != 1:
        raise root.at("version").fail("this code reads version 1")
    vm_types = tuple(_vm_type(reader) for reader in root.at("vm_types").each())
    vm_names = _unique(root.at("vm_types"), [vm.name for vm in vm_types])
    models = tuple(_model(reader, vm_names) for reader in root.at("models").each())
    _unique(root.at("models"), [model.name for model in models])
    regions = tuple(_region(reader) for reader in root.at("regions").each())
    names = _unique(root.at("regions"), [region.name for region in regions])
    prices, quotas = _offers(root.at("regions"), regions, vm_names)
    return FleetCatalogue(
        regions=regions,
        vm_types=vm_types,
        models=models,
        pools=_pools(root.at("pools"), regions, models, quotas),
        prices=prices,
        quotas=quotas,
        round_trip_seconds=_round_trips(root.at("round_trip_ms"), names),
        lead_time_priors=_lead_times(root.at("lead_times"), vm_names),
        guardrails=_guardrails(root.at("guardrails")) if root.has("guardrails") else Guardrails(),
    )


def _unique(place: Reader, names: list[Any]) -> list[Any]:
    if not names:
        raise place.fail("is empty")
    if len(set(names)) != len(names):
        raise place.fail("holds a name twice")
    return names


def _name(reader: Reader) -> str:
    name = reader.text()
    if "/" in name or name == "*" or name != name.strip():
        raise reader.fail(f"{name!r} may not hold '/' or blanks at its ends, nor be '*'")
    return name


def _region(reader: Reader) -> RegionSpec:
    reader.only("name", "time_zone", "ingress_endpoint", "residency", "vm_types")
    zone = reader.at("time_zone")
    try:
        ZoneInfo(zone.text())
    except (ZoneInfoNotFoundError, ValueError):
        raise zone.fail(f"{zone.value!r} is no IANA time zone") from None
    residency = reader.at("residency").each() if reader.has("residency") else []
    return RegionSpec(
        name=RegionName(_name(reader.at("name"))),
        time_zone=zone.text(),
        ingress_endpoint=reader.at("ingress_endpoint").text(),
        residency=frozenset(label.text() for label in residency),
    )


def _vm_type(reader: Reader) -> VmType:
    reader.only("name", "gpu", "gpus")
    return VmType(
        name=VmTypeName(_name(reader.at("name"))),
        gpu=reader.at("gpu").text(),
        gpus=reader.at("gpus").count(least=1),
    )


def _model(reader: Reader, vm_names: list[VmTypeName]) -> ModelSpec:
    reader.only("name", "weights_gb", "tiers", "engines")
    engines = {_known(law, name, vm_names): _law(law) for name, law in reader.at("engines").items()}
    tiers = tuple(_tier(spec, name, engines) for name, spec in reader.at("tiers").items())
    if not engines or not tiers:
        raise reader.fail("needs at least one engine and one tier")
    return ModelSpec(
        name=ModelName(_name(reader.at("name"))),
        weights_bytes=int(reader.at("weights_gb").number(above=0) * 1e9),
        tiers=tiers,
        engines=engines,
    )


def _known(place: Reader, name: str, names: list[Any]) -> Any:
    if name not in names:
        raise place.fail(f"{name!r} is not known; known are {', '.join(names)}")
    return name


def _law(reader: Reader) -> EngineLaw:
    reader.only(
        "prefill_ms", "decode_ms", "kv_bytes_per_token", "kv_gb", "max_batch", "fitted_batch"
    )
    prefill = [number.number() / 1000 for number in reader.at("prefill_ms").each()]
    decode = [number.number() / 1000 for number in reader.at("decode_ms").each()]
    if len(prefill) != 3 or len(decode) != 3:
        raise reader.fail("prefill_ms and decode_ms hold three coefficients each (a b c, d0 d1 d2)")
    try:
        return EngineLaw(
            prefill_base=prefill[0],
            prefill_per_token=prefill[1],
            prefill_per_token_beyond_knee=prefill[2],
            decode_base=decode[0],
            decode_per_sequence=decode[1],
            decode_per_sequence_kilotoken=decode[2],
            kv_bytes_per_token=reader.at("kv_bytes_per_token").count(least=1),
            kv_bytes_available=int(reader.at("kv_gb").number(above=0) * 1e9),
            max_batch=reader.at("max_batch").count(least=1),
            fitted_batch=reader.at("fitted_batch").count(least=1),
        )
    except InvalidCatalogue:
        raise
    except HeliostatError as error:
        raise reader.fail(str(error)) from error


def _tier(reader: Reader, name: str, engines: Mapping[VmTypeName, EngineLaw]) -> TierSpec:
    reader.only(
        "ttft_seconds",
        "ttft_prefill_multiple",
        "reference_vm_type",
        "itl_seconds",
        "latency_budget_ms",
        "deadline_seconds",
        "attainment",
        "input_tokens",
        "output_tokens",
        "residency",
    )
    try:
        tier = Tier.parse(name)
    except HeliostatError as error:
        raise reader.fail(str(error)) from error
    multiple = (
        reader.at("ttft_prefill_multiple").number() if reader.has("ttft_prefill_multiple") else 0.0
    )
    reference = reader.at("reference_vm_type").text() if multiple else ""
    if reference:
        _known(reader, reference, list(engines))
    attainment = reader.at("attainment").number(above=0) if reader.has("attainment") else 0.99
    if attainment >= 1:
        raise reader.at("attainment").fail("must lie within (0, 1)")
    residency = reader.at("residency").each() if reader.has("residency") else []
    return TierSpec(
        tier=tier,
        slo=Slo(
            ttft_floor_seconds=reader.at("ttft_seconds").number(above=0),
            ttft_prefill_multiple=multiple,
            reference_vm_type=VmTypeName(reference),
            itl_seconds=reader.at("itl_seconds").number(above=0),
            latency_budget_seconds=reader.at("latency_budget_ms").number() / 1000,
            deadline=reader.at("deadline_seconds").seconds()
            if reader.has("deadline_seconds")
            else None,
            attainment=attainment,
        ),
        assumed_input_tokens=reader.at("input_tokens").number(above=0),
        assumed_output_tokens=reader.at("output_tokens").number(above=0),
        residency=frozenset(label.text() for label in residency),
    )


def _offers(
    place: Reader, regions: Sequence[RegionSpec], vm_names: list[VmTypeName]
) -> tuple[dict[tuple[RegionName, VmTypeName], Price], dict[tuple[RegionName, VmTypeName], int]]:
    prices: dict[tuple[RegionName, VmTypeName], Price] = {}
    quotas: dict[tuple[RegionName, VmTypeName], int] = {}
    for region, reader in zip(regions, place.each(), strict=True):
        for name, offer in reader.at("vm_types").items():
            offer.only("quota", "on_demand", "spot", "reserved", "reserved_vms")
            key = (region.name, VmTypeName(_known(offer, name, vm_names)))
            quotas[key] = offer.at("quota").count()
            prices[key] = Price(
                on_demand=offer.at("on_demand").number(above=0),
                spot=offer.at("spot").number(above=0) if offer.has("spot") else None,
                reserved=offer.at("reserved").number() if offer.has("reserved") else None,
                reserved_vms=offer.at("reserved_vms").count() if offer.has("reserved_vms") else 0,
            )
    return prices, quotas


def _pools(
    place: Reader,
    regions: Sequence[RegionSpec],
    models: Sequence[ModelSpec],
    quotas: Mapping[tuple[RegionName, VmTypeName], int],
) -> tuple[PoolSpec, ...]:
    """One pool per (region, model, VM type) that has a law and a quota, unless `except` drops it."""
    place.only("min_replicas", "max_replicas", "except", "overrides")
    least, most = place.at("min_replicas").count(), place.at("max_replicas").count(least=1)
    dropped = (
        {PoolKey.parse(key.text()) for key in place.at("except").each()}
        if place.has("except")
        else set()
    )
    special = {
        PoolKey.parse(name): reader.only("min_replicas", "max_replicas", "launch_template")
        for name, reader in (place.at("overrides").items() if place.has("overrides") else [])
    }
    pools: list[PoolSpec] = []
    for region in regions:
        for model in models:
            for vm_type in model.engines:
                key = PoolKey(region=region.name, model=model.name, vm_type=vm_type)
                if (region.name, vm_type) in quotas and key not in dropped:
                    pools.append(_pool(key, special.pop(key, None), least, most))
    unknown = sorted(map(str, special)) + sorted(
        str(k) for k in dropped if k.region not in {r.name for r in regions}
    )
    if unknown:
        raise place.fail(f"names pools that cannot exist: {', '.join(unknown)}")
    return tuple(pools)


def _pool(key: PoolKey, special: Reader | None, least: int, most: int) -> PoolSpec:
    template = ""
    if special is not None:
        least = special.at("min_replicas").count() if special.has("min_replicas") else least
        most = special.at("max_replicas").count(least=0) if special.has("max_replicas") else most
        template = special.at("launch_template").text() if special.has("launch_template") else ""
    if least > most:
        raise InvalidCatalogue(f"pools.{key}", f"min_replicas {least} exceeds max_replicas {most}")
    return PoolSpec(key=key, min_replicas=least, max_replicas=most, launch_template=template)


def _round_trips(
    place: Reader, names: list[RegionName]
) -> dict[tuple[RegionName, RegionName], float]:
    """`{a: {b: ms}}`, symmetric where only one direction is given; a region to itself defaults to 0."""
    given: dict[tuple[RegionName, RegionName], float] = {}
    for origin, row in place.items():
        _known(row, origin, names)
        for serving, cell in row.items():
            given[RegionName(origin), _known(cell, serving, names)] = cell.number() / 1000
    for a in names:
        for b in names:
            if (a, b) not in given:
                default = 0.0 if a == b else given.get((b, a))
                if default is None:
                    raise place.fail(f"lacks the round trip between {a} and {b}")
                given[a, b] = default
    return given


def _lead_times(
    place: Reader, vm_names: list[VmTypeName]
) -> dict[tuple[VmTypeName, StartKind], LeadTimePrior]:
    """Per start kind, for all VM types (`default`) or by name."""
    priors: dict[tuple[VmTypeName, StartKind], LeadTimePrior] = {}
    place.only("default", *vm_names)
    for vm_type in vm_names:
        row = place.at(vm_type) if place.has(vm_type) else place.at("default")
        row.only(*StartKind)
        for kind in StartKind:
            cell = row.at(kind) if row.has(kind) else place.at("default").at(kind)
            cell.only("p50_seconds", "p90_seconds")
            p50, p90 = cell.at("p50_seconds").seconds(), cell.at("p90_seconds").seconds()
            if p90 < p50:
                raise cell.fail("p90_seconds lies below p50_seconds")
            priors[vm_type, kind] = LeadTimePrior(start_kind=kind, p50=p50, p90=p90)
    return priors


def _guardrails(reader: Reader) -> Guardrails:
    reader.only(
        "largest_step_out",
        "largest_step_in",
        "cool_down_seconds",
        "budget_dollars_per_hour",
        "stale_after_seconds",
    )
    base = Guardrails()
    return Guardrails(
        largest_step_out=reader.at("largest_step_out").count()
        if reader.has("largest_step_out")
        else 0,
        largest_step_in=reader.at("largest_step_in").count()
        if reader.has("largest_step_in")
        else 0,
        cool_down=reader.at("cool_down_seconds").seconds()
        if reader.has("cool_down_seconds")
        else base.cool_down,
        budget_dollars_per_hour=reader.at("budget_dollars_per_hour").number(above=0)
        if reader.has("budget_dollars_per_hour")
        else None,
        stale_after=reader.at("stale_after_seconds").seconds()
        if reader.has("stale_after_seconds")
        else base.stale_after,
    )
