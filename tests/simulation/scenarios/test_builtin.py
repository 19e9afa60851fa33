"""Every built-in scenario is sized so that policies can differ, and the same for every policy."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from heliostat.catalogue import parse_catalogue
from heliostat.errors import DataMissing, UnknownScenario
from heliostat.model.names import RegionName, VmTypeName
from simulation.arrivals import ArrivalRates
from simulation.requests.binning import binned
from simulation.scenarios import fleets
from simulation.scenarios.builtin import built_in, built_in_names
from simulation.scenarios.figures import ScenarioFigures, scenario_figures
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.sizing import busy_replicas
from tests.simulation.requests.sources import same
from tests.support.measured import data_folder, needs_data

NAMES = [
    pytest.param(name, marks=needs_data("the scenario `tenants`")) if name == "tenants" else name
    for name in built_in_names()
]
MOST_REQUESTS = 10_000_000
SEEDS = (1, 2, 3, 4, 5)
"""Those that evidence is made with."""


@cache
def scenario(name: str) -> Scenario:
    return built_in(name, data=data_folder())


@cache
def arrivals(name: str, seed: int) -> ArrivalRates:
    chosen = scenario(name)
    return binned(chosen.source(seed), chosen.span)


@cache
def figures(name: str) -> ScenarioFigures:
    return scenario_figures(scenario(name), 1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_holds_at_most_ten_million_requests(name: str, seed: int) -> None:
    columns = arrivals(name, seed).by_demand.values()
    requests = sum(float(np.nansum(column.offered)) for column in columns)
    assert 1_000_000 < requests <= MOST_REQUESTS


def test_a_seeds_rates_are_made_once_and_another_seeds_are_others() -> None:
    """A run makes its source three times: for its history, its first fleet, and its engine."""
    source = scenario(built_in_names()[0]).source
    (first, *_), (again, *_), (other, *_) = (
        source(seed).history().by_demand.values() for seed in (1, 1, 2)
    )
    assert np.shares_memory(first.offered, again.offered)
    assert not np.array_equal(first.offered, other.offered)
    assert np.array_equal(first.offered, next(iter(source(1).history().by_demand.values())).offered)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_twenty_replicas_per_model_are_busy_at_the_peak_and_two_or_three_in_the_small_one(
    name: str, seed: int
) -> None:
    busy = busy_replicas(scenario(name).catalogue, arrivals(name, seed))
    for model in scenario(name).catalogue.models:
        peak = busy[model.name].max()
        if name == "small":
            assert 2 <= peak <= 3
        else:
            assert 20 <= peak <= 27


@pytest.mark.parametrize("name", NAMES)
def test_promises_can_be_kept_and_the_first_fleet_is_within_the_quotas(name: str) -> None:
    assert figures(name).reachable_share == pytest.approx(1.0, abs=0.001)
    chosen = scenario(name)
    taken: dict[tuple[RegionName, VmTypeName], int] = {}
    for pool, replicas in chosen.first_fleet(1).items():
        assert replicas >= chosen.catalogue.pool(pool).min_replicas
        place = (pool.region, pool.vm_type)
        taken[place] = taken.get(place, 0) + replicas
    assert all(replicas <= chosen.catalogue.quotas[place] for place, replicas in taken.items())


@pytest.mark.parametrize("name", NAMES)
def test_quotas_hold_more_than_the_peak_so_that_policies_decide(name: str) -> None:
    chosen = scenario(name)
    vm_types = {model.name: next(iter(model.engines)) for model in chosen.catalogue.models}
    for vm_type in set(vm_types.values()):
        busy = sum(m.busy_peak or 0 for m in figures(name).models if vm_types[m.model] == vm_type)
        quota = sum(q for (_, vm), q in chosen.catalogue.quotas.items() if vm == vm_type)
        assert quota > 2 * busy


@pytest.mark.parametrize("name", NAMES)
def test_sources_of_one_seed_are_alike_and_of_two_are_not(name: str) -> None:
    chosen = scenario(name)
    begin = chosen.begins + timedelta(hours=9)
    first, again, other = (
        chosen.source(seed).between(begin, begin + timedelta(minutes=5)) for seed in (1, 1, 2)
    )
    assert len(first) > 50
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize("name", NAMES)
def test_history_leads_up_to_the_begin(name: str) -> None:
    chosen = scenario(name)
    past = chosen.source(1).history()
    assert past.span.end == chosen.begins
    assert past.span.length == chosen.history
    assert sum(np.nansum(column.offered) for column in past.by_demand.values()) > 0


def test_the_burst_begins_in_hour_25_and_strikes_each_hours_first_minute() -> None:
    chosen = scenario("burst")
    hours = [0, 24, 25, 30]
    ratios = []
    for hour in hours:
        begin = chosen.begins + timedelta(hours=hour)
        minutes = binned(chosen.source(1), type(chosen.span)(begin, begin + timedelta(hours=1)))
        total = np.sum([column.offered for column in minutes.by_demand.values()], axis=0)
        ratios.append(total[0] / np.median(total[1:]))
    assert max(ratios[:2]) < 3
    assert min(ratios[2:]) > 5


def test_the_outage_takes_the_largest_region_for_two_hours_round_its_peak() -> None:
    chosen = scenario("outage")
    ((region, troubles),) = chosen.troubles.items()
    (outage,) = troubles.outages
    assert outage.length == timedelta(hours=2)
    own = {
        name: sum(
            np.nansum(column.offered.reshape(-1, 60), axis=1)
            for demand, column in binned(chosen.source(1), chosen.span).by_demand.items()
            if demand.origin == name
        )
        for name in [r.name for r in chosen.catalogue.regions]
    }
    assert region == max(own, key=lambda name: own[name].sum()) == RegionName("eastus")
    hours = [int((outage.start - chosen.begins) / timedelta(hours=1)) + i for i in range(3)]
    assert own[region][hours].mean() > 0.9 * own[region].max()


@needs_data("the holes of `tenants`")
def test_tenants_keep_their_holes() -> None:
    assert figures("tenants").unknown_minutes > 1000
    chosen = scenario("tenants")
    source = chosen.source(1)
    holes = [
        at
        for at in chosen.span.steps(timedelta(minutes=1))
        if not source.known(RegionName("japaneast"), at)
    ]
    assert holes
    (first, *_) = holes
    found = source.between(first, first + timedelta(minutes=1))
    assert RegionName("japaneast") not in {source.demands[place].origin for place in found.demand}


def test_tenants_without_data_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"HELIOSTAT_DATA is not set; set .*m-large.*m-small"):
        built_in("tenants")
    with pytest.raises(DataMissing, match=r"servegen_m-large.parquet.*is not there"):
        built_in("tenants", data=tmp_path)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownScenario, match="week, day, burst, outage, small, tenants"):
        built_in("month")


def test_the_papers_fleet_has_its_latencies_and_floors() -> None:
    catalogue = parse_catalogue(fleets.us_fleet(least=2))
    trips = {
        (a.name, b.name): catalogue.round_trip(a.name, b.name)
        for a in catalogue.regions
        for b in catalogue.regions
    }
    assert all(0.003 <= trips[a, b] <= 0.007 for a, b in trips if a == b)
    assert all(0.031 <= trips[a, b] <= 0.072 for a, b in trips if a != b)
    assert {pool.min_replicas for pool in catalogue.pools} == {2}
