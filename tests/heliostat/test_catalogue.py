"""The catalogue file is believed only when every key resolves; complaints name the key path."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.errors import (
    InvalidCatalogue,
    UnknownModel,
    UnknownPool,
    UnknownRegion,
    UnknownTier,
    UnknownVmType,
)
from heliostat.model.names import ModelName, RegionName, Tier
from tests.builders import a_catalogue, a_pool, catalogue_mapping


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    mapping = catalogue_mapping()
    change(mapping)
    return mapping


def test_a_model_without_an_engine_is_named_as_such() -> None:
    with pytest.raises(InvalidCatalogue, match=r"models\[0\].*has no engine: needs an engine law"):
        parse_catalogue(changed(lambda m: m["models"][0].update(engines={})))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda m: m.pop("models"), "models"),
        (lambda m: m.update(version=2), "version"),
        (lambda m: m.update(colour="red"), "colour"),
        (lambda m: m["regions"][0].update(time_zone="Mars/Base"), "regions[0].time_zone"),
        (lambda m: m["regions"][0].update(time_zone="America"), "regions[0].time_zone"),
        (lambda m: m["regions"][0].update(time_zone="a" * 5000), "regions[0].time_zone"),
        (lambda m: m["pools"].update({"except": ["nonsense"]}), "pools.except[0]"),
        (lambda m: m["pools"].update(overrides={"a/b": {}}), "pools.overrides.a/b"),
        (lambda m: m["regions"][1].update(name="east"), "regions"),
        (lambda m: m["regions"][0].update(name="a/b"), "regions[0].name"),
        (
            lambda m: m["regions"][0]["vm_types"]["small"].update(quota=-1),
            "regions[0].vm_types.small.quota",
        ),
        (
            lambda m: m["regions"][0]["vm_types"].update(tiny={"quota": 1, "on_demand": 1}),
            "regions[0].vm_types.tiny",
        ),
        (
            lambda m: m["models"][0]["engines"]["small"].update(decode_ms=[1, 2]),
            "models[0].engines.small",
        ),
        (
            lambda m: m["models"][0]["tiers"].update(gold=m["models"][0]["tiers"]["batch"]),
            "models[0].tiers.gold",
        ),
        (
            lambda m: m["models"][0]["tiers"]["batch"].update(itl_seconds="fast"),
            "models[0].tiers.batch.itl_seconds",
        ),
        (lambda m: m["round_trip_ms"]["east"].pop("west"), "round_trip_ms"),
        (lambda m: m["pools"].update(min_replicas=31), "pools.east/alpha/small"),
        (lambda m: m["pools"].update(max_replicas=2 * 10**9), "pools.east/alpha/small"),
        (
            lambda m: m["regions"][0]["vm_types"]["small"].update(quota=2**63),
            "regions[0].vm_types.small.quota",
        ),
        (
            lambda m: m["regions"][0]["vm_types"]["small"].update(on_demand=10**400),
            "regions[0].vm_types.small.on_demand",
        ),
        (
            lambda m: m["lead_times"]["default"]["cold"].update(p90_seconds=1e300),
            "lead_times.default.cold.p90_seconds",
        ),
        (
            lambda m: m["pools"].update(overrides={"east/alpha/none": {"min_replicas": 1}}),
            "pools",
        ),
        (lambda m: m["pools"].update({"except": ["east/gamma/small"]}), "pools"),
        (
            lambda m: m["lead_times"]["default"]["cold"].update(p90_seconds=1),
            "lead_times.default.cold",
        ),
        (
            lambda m: m["guardrails"].update(budget_dollars_per_hour=0),
            "guardrails.budget_dollars_per_hour",
        ),
    ],
)
def test_a_broken_catalogue_names_the_key(
    change: Callable[[dict[str, Any]], object], path: str
) -> None:
    with pytest.raises(InvalidCatalogue) as refusal:
        parse_catalogue(changed(change))
    assert refusal.value.field == path


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every mapping or list in there with each of its keys."""
    found = dict(enumerate(value)) if isinstance(value, list) else value
    if isinstance(found, dict):
        for key, inner in list(found.items()):
            yield value, key
            yield from places(inner)


@pytest.mark.parametrize(
    "odd", [None, "", "odd", "a/b/c", -1, 1e308, True, [], ["odd"], {}, {"odd": 1}, {1: 2}, [[]]]
)
def test_an_odd_value_anywhere_is_a_wrong_catalogue_or_a_good_one(odd: object) -> None:
    mapping = deepcopy(catalogue_mapping())
    for holder, key in list(places(mapping)):
        before, holder[key] = holder[key], odd
        with suppress(InvalidCatalogue):
            parse_catalogue(mapping)
        holder[key] = before


def test_nobody_to_whom_it_is_lent_can_change_it_here_or_in_another_process() -> None:
    sent: FleetCatalogue = pickle.loads(pickle.dumps(a_catalogue()))
    for lent in (a_catalogue(), sent, deepcopy(sent)):
        assert lent == a_catalogue()
        mappings: tuple[Any, ...] = (lent.quotas, lent.prices, lent.models[0].engines)
        for mapping in mappings:
            with pytest.raises(AttributeError):
                mapping.clear()


def test_a_pool_exists_per_region_model_and_vm_type_with_law_and_quota() -> None:
    assert len(a_catalogue().pools) == 2 * 2 * 2
    mapping = changed(lambda m: m["pools"].update({"except": ["east/alpha/big"]}))
    assert a_pool("east", "alpha", "big") not in {p.key for p in parse_catalogue(mapping).pools}


def test_the_first_unknown_part_of_a_pool_is_named() -> None:
    catalogue = a_catalogue()
    with pytest.raises(UnknownRegion, match="regions are east, west"):
        catalogue.pool(a_pool("north"))
    with pytest.raises(UnknownModel):
        catalogue.pool(a_pool(model="gamma"))
    with pytest.raises(UnknownVmType):
        catalogue.pool(a_pool(vm_type="huge"))
    mapping = changed(lambda m: m["pools"].update({"except": ["east/alpha/big"]}))
    with pytest.raises(UnknownPool):
        parse_catalogue(mapping).pool(a_pool("east", "alpha", "big"))


def test_round_trips_are_symmetric_unless_said_otherwise() -> None:
    catalogue = a_catalogue()
    assert catalogue.round_trip(RegionName("west"), RegionName("east")) == pytest.approx(0.07)
    assert catalogue.nearest_first(RegionName("west")) == ("west", "east")


def test_latency_budget_and_residency_keep_requests_at_home() -> None:
    east, west, alpha = RegionName("east"), RegionName("west"), ModelName("alpha")
    assert a_catalogue().may_serve(east, west, alpha, Tier.INTERACTIVE_FAST)
    near = changed(
        lambda m: m["models"][0]["tiers"]["interactive-fast"].update(latency_budget_ms=50)
    )
    assert not parse_catalogue(near).may_serve(east, west, alpha, Tier.INTERACTIVE_FAST)
    resident = changed(
        lambda m: (
            m["models"][0]["tiers"]["batch"].update(residency=["eu"]),
            m["regions"][1].update(residency=["eu"]),
        )
    )
    assert parse_catalogue(resident).may_serve(east, west, alpha, Tier.BATCH)
    assert not parse_catalogue(resident).may_serve(east, east, alpha, Tier.BATCH)


def test_the_prompt_decides_the_ttft_bound() -> None:
    slo = a_catalogue().model("alpha").tier(Tier.INTERACTIVE_FAST)
    assert slo is not None
    assert slo.slo.ttft_seconds(0.1) == 1.0
    assert slo.slo.ttft_seconds(0.5) == pytest.approx(1.5)


def test_a_tier_that_the_model_lacks_is_unknown_and_the_others_are_named() -> None:
    mapping = changed(lambda m: m["models"][0]["tiers"].pop("batch"))
    model = parse_catalogue(mapping).model("alpha")
    assert model.offered(Tier.INTERACTIVE_FAST) is model.tier(Tier.INTERACTIVE_FAST)
    with pytest.raises(UnknownTier, match="alpha offers interactive-fast, interactive-normal"):
        model.offered(Tier.BATCH)


def test_a_mix_is_the_measured_one_and_else_the_assumed_one() -> None:
    catalogue = a_catalogue()
    model = catalogue.models[0]
    assumed = {spec.tier: model.assumed_mix(spec) for spec in model.tiers}
    measured = replace(assumed[Tier.BATCH], input_tokens=7.0, requests=3)
    mixes = catalogue.mixes([measured])
    assert mixes[model.name, Tier.BATCH] is measured
    assert mixes[model.name, Tier.INTERACTIVE_FAST] == assumed[Tier.INTERACTIVE_FAST]
    assert len(mixes) == sum(len(one.tiers) for one in catalogue.models)
