"""An agent's settings: where they come from, which one wins, and how a wrong one is named."""

import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from heliostat.errors import InvalidSettings
from services.agent.link.backoff import Backoff
from services.agent.settings import load_agent_settings


def test_the_environment_is_stronger_than_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text("region: east\ntick: 5\ndriving: {chunk_size: 4}\n")
    monkeypatch.setenv("HELIOSTAT_AGENT_TICK", "7")
    settings = load_agent_settings(file)
    assert (settings.region, settings.tick.total_seconds()) == ("east", 7)
    assert settings.driving.chunk_size == 4
    assert load_agent_settings(file, region="west").region == "west"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "HELIOSTAT_AGENT_REGION"),
        ({"region": "east", "tick": -1}, "tick"),
        ({"region": "east", "driver": "aws"}, "aws.region_name"),
        ({"region": "east", "control_planes": ["10.0.0.1:7443"]}, "allow_insecure"),
        ({"region": "east", "local_listen": "0.0.0.0:7444"}, "local_listen"),
        ({"region": "east", "control_planes": ["nowhere"]}, "host:port"),
        ({"region": "east", "control_planes": ["127.0.0.1:0"]}, "1 to 65535"),
        ({"region": "east", "driving": {"chunk": 1}}, "driving.chunk"),
        ({"region": "east", "seed": -5}, "seed"),
        ({"region": "east", "name": ""}, "name"),
        ({"region": "east", "tick": 60}, "dispatch.stale_after"),
        ({"region": "east", "aws": {"redeploy_command": "awk '{print $1}'"}}, "redeploy_command"),
        ({"region": "east", "aws": {"redeploy_command": "serve {model!x}"}}, "redeploy_command"),
        ({"region": "east", "aws": {"redeploy_command": "serve {}"}}, "redeploy_command"),
        ({"region": "east", "aws": {"redeploy_command": "serve {model"}}, "redeploy_command"),
        ({"region": "east", "aws": {"engine_address": "{public_ip}:8000"}}, "engine_address"),
        ({"region": "east", "aws": {"engine_address": "{model.name}:8000"}}, "engine_address"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(given: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidSettings, match=named):
        load_agent_settings(**given)


def test_braces_of_a_shell_are_written_twice() -> None:
    command = "serve {model} {vm_type} | awk '{{print $1}}'"
    settings = load_agent_settings(region="east", aws={"redeploy_command": command})
    assert settings.aws.redeploy_command == command


def test_slow_ticks_are_well_with_signals_that_last_longer_or_without_dispatch() -> None:
    for dispatch in ({"stale_after": 150}, {"enabled": False}):
        settings = load_agent_settings(region="east", tick=60, dispatch=dispatch)
        assert settings.tick.total_seconds() == 60


def test_a_lease_lasts_a_finite_number_of_times_as_long() -> None:
    for factor in (math.inf, math.nan, 0.5):
        with pytest.raises(InvalidSettings, match="lease_factor"):
            load_agent_settings(region="east", dispatch={"lease_factor": factor})


def test_waits_grow_to_the_cap_and_begin_again_after_success() -> None:
    backoff = Backoff(Random(1), first_seconds=1, cap_seconds=8)
    waits = [backoff.next_seconds() for _ in range(8)]
    assert all(
        0.5 * bound <= wait <= bound
        for wait, bound in zip(waits, [1, 2, 4, 8, 8, 8, 8, 8], strict=True)
    )
    assert len(set(waits)) == len(waits)
    backoff.reset()
    assert backoff.next_seconds() <= 1


def test_a_list_that_is_no_json_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELIOSTAT_AGENT_CONTROL_PLANES", "127.0.0.1:7443")
    with pytest.raises(InvalidSettings, match="HELIOSTAT_AGENT_CONTROL_PLANES"):
        load_agent_settings(region="east")
