"""A scenario file is checked before anything is made of it; complaints name line and key."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heliostat.errors import DataMissing, InvalidCatalogue, InvalidScenario
from heliostat.model.names import RegionName, Tier
from simulation.scenarios.from_spec import scenario_in
from simulation.scenarios.spec import ScenarioSpec
from simulation.scenarios.spec_file import read_spec
from simulation.scenarios.troubles_part import TroublesPart
from simulation.troubles import CloudTroubles
from tests.simulation.scenarios.files import spec_file, spec_mapping, text_spec

GOOD = """\
version: 1
name: little
catalogue: fleet.yaml
begins: 2026-02-06T00:00Z
days: 1
history_days: 1
demand:
  kind: published
  busy_replicas: 0.5
  mix: {batch: 1}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("days: 1\n", "days: 0\n", r"little.yaml:5: days: input should be greater than 0"),
        ("days: 1\n", "days: 0.333\n", r"yaml:5: days: 0.333 days are 479.52 minutes; .* whole"),
        ("days: 1\n", "days: .nan\n", r"yaml:5: days: "),
        ("days: 1\n", "days: 1.0e-12\n", r"yaml:5: days: 1e-12 days are 1.44e-09 minutes"),
        ("history_days: 1\n", "history_days: 0.5\n", r"yaml:6: history_days: .*integer"),
        ("name: little", "name: a b", r"little.yaml:2: name: "),
        ("busy_replicas", "busy", r"little.yaml:9: demand.busy: unknown key \(1 more\)"),
        ("  busy_replicas: 0.5\n", "", r"little.yaml:7: demand.busy_replicas: is missing"),
        ("kind: published", "kind: guessed", r"little.yaml:7: demand: .*'published', 'series'"),
        ("{batch: 1}", "{batch: 0}", r"little.yaml:10: demand.mix: needs a weight above 0"),
        ("{batch: 1}", "{bulk: 1}", r"little.yaml:10: demand.mix.bulk: unknown key"),
        ("begins: 2026-02-06T00:00Z\n", "", r"little.yaml:1: a demand of kind published needs"),
        ("T00:00Z", "T00:00", r"little.yaml:4: begins: .*timezone"),
        ("{batch: 1}", "{batch: .inf}", r"little.yaml:10: demand.mix.batch: "),
        ("{batch: 1}", "{batch: 1.0e+308}", r"little.yaml:10: demand.mix.batch: "),
        ("2026-02-06T", "1969-02-06T", r"`begins` must be between the years 1970 and 9000"),
        ("2026-02-06T", "9999-12-31T", r"`begins` must be between the years 1970 and 9000"),
        ("T00:00Z", "T00:00:30Z", r"little.yaml:1: `begins` must be a whole minute"),
        ("catalogue: fleet.yaml\n", "", r"little.yaml:1: needs either `catalogue`"),
        ("version: 1", "version: 2", r"little.yaml:1: version: "),
    ],
)
def test_a_wrong_key_is_named_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidScenario, match=told):
        read_spec(text_spec(tmp_path, GOOD.replace(old, new)))


def test_what_is_no_yaml_or_no_mapping_or_twice_is_refused(tmp_path: Path) -> None:
    for text, told in (
        ("a: [", "is not YAML"),
        ("- 1\n", "is not a mapping"),
        (GOOD + "days: 2\n", "'days' appears twice"),
    ):
        with pytest.raises(InvalidScenario, match=told):
            read_spec(text_spec(tmp_path, text))
    with pytest.raises(InvalidScenario, match="cannot be read"):
        read_spec(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"troubles": {"mars": {}}}, r"little.yaml:\d+: troubles.mars: 'mars' is not in the fleet"),
        (
            {"troubles": {"east": {"shortages": [{"vm_type": "x", "after_hours": 0, "hours": 1}]}}},
            r"troubles.east.shortages: 'x' is not in the fleet; known are small, big",
        ),
        (
            {"troubles": {"east": {"evictions": [{"vm_type": "x", "after_hours": 0, "vms": 1}]}}},
            r"troubles.east.evictions: 'x' is not in the fleet; known are small, big",
        ),
        ({"warm_vms": {"x": 1}}, r"warm_vms.x: 'x' is not in the fleet; known are small, big"),
        (
            {"demand": {"kind": "requests", "path": "x", "models": {"a": "gamma"}}},
            r"demand.models.a: 'gamma' is not in the fleet; known are alpha, beta",
        ),
        ({"target": {"models": {"gamma": {}}}}, r"target.models.gamma: 'gamma' is not"),
    ],
)
def test_names_that_the_fleet_does_not_have_are_told(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    mapping = spec_mapping(**changes)
    if mapping["demand"]["kind"] == "requests":
        del mapping["begins"]
    with pytest.raises(InvalidScenario, match=told):
        scenario_in(spec_file(tmp_path, mapping))


def test_a_broken_fleet_is_named_by_its_own_file(tmp_path: Path) -> None:
    path = spec_file(tmp_path)
    (tmp_path / "fleet.yaml").write_text("version: 1\n", "utf-8")
    with pytest.raises(InvalidCatalogue, match=r"fleet.yaml: .* is missing"):
        scenario_in(path)


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    demand = {"kind": "series", "busy_replicas": 1, "files": [{"path": "$NO_SUCH_VARIABLE/a"}]}
    with pytest.raises(DataMissing, match=r"\$NO_SUCH_VARIABLE/a names a variable that is not set"):
        scenario_in(spec_file(tmp_path, demand=demand))


def test_everything_that_goes_wrong_counts_from_the_begin(tmp_path: Path) -> None:
    span = {"after_hours": 2, "hours": 1.5}
    troubles = {
        "east": {
            "outages": [span],
            "telemetry_holes": [{**span, "only_tokens": True}],
            "shortages": [{**span, "vm_type": "big", "free_vms": 3}],
            "throttles": [span],
            "refusal_probability": 0.1,
            "evictions": [{"vm_type": "big", "after_hours": 3, "vms": 2}],
        }
    }
    scenario = scenario_in(
        spec_file(tmp_path, troubles=troubles, retries={"times": 2, "back_off_seconds": 5})
    )
    found = scenario.troubles[RegionName("east")]
    (outage,) = found.outages
    assert (outage.start - scenario.begins).total_seconds() == 7200
    assert outage.length.total_seconds() == 5400
    assert found.telemetry_holes[0].only_tokens
    assert found.shortages[0].free_vms == 3
    assert found.throttles == (outage,)
    assert found.refusal_probability == 0.1
    (eviction,) = found.evictions
    assert (eviction.at - scenario.begins).total_seconds() == 10_800
    assert (eviction.vm_type, eviction.vms) == ("big", 2)


def test_every_trouble_that_a_cloud_knows_can_be_asked_for(tmp_path: Path) -> None:
    seconds = {
        "telemetry_delay_seconds": 90,
        "failed_kept_seconds": 30,
        "eviction_notice_seconds": 60,
    }
    asked = {name.name for name in fields(CloudTroubles)}
    told = {name.removesuffix("_seconds") for name in TroublesPart.model_fields}
    assert told == asked
    troubles = {"east": {**seconds, "evictions_per_day": 0.5}}
    scenario = scenario_in(spec_file(tmp_path, troubles=troubles, warm_vms={"small": 2}))
    found = scenario.troubles[RegionName("east")]
    assert (found.telemetry_delay, found.failed_kept, found.eviction_notice) == tuple(
        timedelta(seconds=value) for value in seconds.values()
    )
    assert found.evictions_per_day == 0.5
    assert scenario.warm_vms == {"small": 2}


def test_a_region_of_which_nothing_is_said_is_calm(tmp_path: Path) -> None:
    scenario = scenario_in(spec_file(tmp_path, troubles={"east": {}}))
    assert scenario.troubles == {RegionName("east"): CloudTroubles()}


def test_a_mix_and_a_burst_are_taken_as_told(tmp_path: Path) -> None:
    demand = {
        "kind": "published",
        "busy_replicas": 2,
        "mix": {"interactive-fast": 1, "batch": 3},
        "burst": {"after_hours": 1, "every_minutes": 30, "factor": 5},
    }
    scenario = scenario_in(spec_file(tmp_path, demand=demand))
    arrivals = scenario.arrivals(1)
    sums = {
        tier: sum(
            column.offered.sum() for key, column in arrivals.by_demand.items() if key.tier is tier
        )
        for tier in Tier
    }
    assert sums[Tier.INTERACTIVE_NORMAL] == 0
    assert sums[Tier.BATCH] > sums[Tier.INTERACTIVE_FAST] > 0


def test_history_days_default_to_two_weeks_and_to_none_for_recorded_requests() -> None:
    mapping = spec_mapping()
    del mapping["history_days"]
    assert ScenarioSpec.model_validate(mapping).past_days == 14
    recorded = {**mapping, "demand": {"kind": "requests", "path": "x"}}
    del recorded["begins"]
    assert ScenarioSpec.model_validate(recorded).past_days == 0


def test_the_example_in_the_documentation_is_a_scenario_file(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text("utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    spec = read_spec(text_spec(tmp_path, example))
    assert spec.name == "friday"
    assert spec.target is not None
