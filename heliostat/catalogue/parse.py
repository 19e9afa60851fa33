"""From a plain mapping (a parsed YAML file) to a `FleetCatalogue`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliostat.catalogue.fleet_catalogue import FleetCatalogue
from heliostat.catalogue.models import parse_model
from heliostat.catalogue.offers import parse_offers, parse_pools
from heliostat.catalogue.reader import Reader, known, name_of, unique
from heliostat.catalogue.specs import LeadTimePrior, RegionSpec, VmType
from heliostat.model.fleet import StartKind
from heliostat.model.governance import Guardrails
from heliostat.model.instants import is_time_zone
from heliostat.model.names import RegionName, VmTypeName


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
    vm_names = unique(root.at("vm_types"), [vm.name for vm in vm_types])
    models = tuple(parse_model(reader, vm_names) for reader in root.at("models").each())
    unique(root.at("models"), [model.name for model in models])
    regions = tuple(_region(reader) for reader in root.at("regions").each())
    names = unique(root.at("regions"), [region.name for region in regions])
    prices, quotas = parse_offers(root.at("regions"), regions, vm_names)
    return FleetCatalogue(
        regions=regions,
        vm_types=vm_types,
        models=models,
        pools=parse_pools(root.at("pools"), regions, models, quotas),
        prices=prices,
        quotas=quotas,
        round_trip_seconds=_round_trips(root.at("round_trip_ms"), names),
        lead_time_priors=_lead_times(root.at("lead_times"), vm_names),
        guardrails=root.maybe("guardrails", _guardrails, Guardrails()),
    )


def _region(reader: Reader) -> RegionSpec:
    reader.only("name", "time_zone", "ingress_endpoint", "residency", "vm_types")
    zone = reader.at("time_zone")
    if not is_time_zone(zone.text()):
        raise zone.fail(f"{zone.value!r} is not an IANA time zone")
    return RegionSpec(
        name=RegionName(name_of(reader.at("name"))),
        time_zone=zone.text(),
        ingress_endpoint=reader.at("ingress_endpoint").text(),
        residency=reader.maybe("residency", Reader.texts, frozenset[str]()),
    )


def _vm_type(reader: Reader) -> VmType:
    reader.only("name", "gpu", "gpus")
    return VmType(
        name=VmTypeName(name_of(reader.at("name"))),
        gpu=reader.at("gpu").text(),
        gpus=reader.at("gpus").count(least=1),
    )


def _round_trips(
    place: Reader, names: list[RegionName]
) -> dict[tuple[RegionName, RegionName], float]:
    """`{a: {b: ms}}`, symmetric where only one direction is given; a region to itself defaults to 0."""
    given: dict[tuple[RegionName, RegionName], float] = {}
    for origin, row in place.items():
        known(row, origin, names)
        for serving, cell in row.items():
            given[RegionName(origin), known(cell, serving, names)] = cell.number() / 1000
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
                raise cell.fail("p90_seconds is below p50_seconds")
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
        largest_step_out=reader.maybe("largest_step_out", Reader.count, base.largest_step_out),
        largest_step_in=reader.maybe("largest_step_in", Reader.count, base.largest_step_in),
        cool_down=reader.maybe("cool_down_seconds", Reader.seconds, base.cool_down),
        budget_dollars_per_hour=reader.maybe("budget_dollars_per_hour", Reader.positive, None),
        stale_after=reader.maybe("stale_after_seconds", Reader.seconds, base.stale_after),
    )
