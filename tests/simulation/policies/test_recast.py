"""Silos: the same fleet with interactive and batch work on pools of their own, and back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.names import DemandKey, ModelName, PoolKey, Tier
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.policies.recast import siloed
from tests.builders import NOON, a_catalogue, a_demand, a_pool, catalogue_mapping
from tests.planning.worlds import all_keys

CATALOGUE = a_catalogue()
RECAST = siloed(CATALOGUE)


def half(pool: PoolKey, which: str) -> PoolKey:
    return PoolKey(
        region=pool.region, model=ModelName(f"{pool.model}+{which}"), vm_type=pool.vm_type
    )


def test_each_model_stands_twice_with_its_own_tiers() -> None:
    tiers = {model.name: [spec.tier for spec in model.tiers] for model in RECAST.catalogue.models}
    assert tiers[ModelName("alpha+batch")] == [Tier.BATCH]
    assert Tier.BATCH not in tiers[ModelName("alpha+interactive")]
    assert len(tiers) == 2 * len(CATALOGUE.models)
    assert len(RECAST.catalogue.pools) == 2 * len(CATALOGUE.pools)


def test_quotas_prices_and_regions_are_shared() -> None:
    assert RECAST.catalogue.quotas == CATALOGUE.quotas
    assert RECAST.catalogue.prices == CATALOGUE.prices
    assert RECAST.catalogue.regions == CATALOGUE.regions


@pytest.mark.parametrize(("least", "halves"), [(0, (0, 0)), (1, (1, 1)), (2, (1, 1)), (5, (3, 2))])
def test_the_floor_is_divided_and_each_half_keeps_one(least: int, halves: tuple[int, int]) -> None:
    mapping = catalogue_mapping()
    mapping["pools"]["min_replicas"] = least
    catalogue = siloed(a_catalogue(mapping)).catalogue
    found = tuple(
        catalogue.pool(half(a_pool(), which)).min_replicas for which in ("interactive", "batch")
    )
    assert found == halves


@pytest.mark.parametrize("key", all_keys(CATALOGUE), ids=str)
def test_names_lead_there_and_back(key: DemandKey) -> None:
    recast = RECAST.demand(key)
    assert recast != key
    assert RECAST.catalogue.model(recast.model).tier(key.tier) is not None
    assert RECAST.originals[recast.model] == key.model


def test_every_pool_is_half_of_one() -> None:
    originals = Counter(RECAST.original_pool(spec.key) for spec in RECAST.catalogue.pools)
    assert originals == {spec.key: 2 for spec in CATALOGUE.pools}


def test_a_model_without_batch_work_stays_whole() -> None:
    mapping = catalogue_mapping()
    for model in mapping["models"]:
        model["tiers"] = {k: v for k, v in model["tiers"].items() if k != "batch"}
    recast = siloed(a_catalogue(mapping))
    assert [model.name for model in recast.catalogue.models] == ["alpha", "beta"]
    assert recast.demand(a_demand()) == a_demand()


def test_arrivals_are_the_same_under_other_names() -> None:
    column = MinuteArrivals(offered=np.ones(3), input_tokens=np.ones(3), output_tokens=np.ones(3))
    arrivals = ArrivalRates(start=NOON, by_demand=dict.fromkeys(all_keys(CATALOGUE), column))
    recast = RECAST.arrivals(arrivals)
    assert recast.span == arrivals.span
    assert set(recast.demands) == {RECAST.demand(key) for key in arrivals.demands}


@given(replicas=st.integers(2, 60), interactive=st.integers(0, 40), batch=st.integers(0, 40))
def test_a_fleet_is_divided_by_need_and_nobody_is_lost(
    replicas: int, interactive: int, batch: int
) -> None:
    first, second = half(a_pool(), "interactive"), half(a_pool(), "batch")
    divided = RECAST.fleet({a_pool(): replicas}, {first: interactive, second: batch})
    assert divided[first] + divided[second] == replicas
    assert min(divided.values()) >= 1
    if interactive > batch:
        assert divided[first] >= divided[second]


def test_a_pool_of_one_becomes_two_for_neither_half_can_do_without() -> None:
    divided = RECAST.fleet({a_pool(): 1}, {})
    assert sorted(divided.values()) == [1, 1]
