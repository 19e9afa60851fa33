"""The operators' pages name every setting that there is, with its default, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from services.agent.settings import AgentSettings
from services.control_plane.settings import ControlPlaneSettings, load_settings
from storage.catalogue_file import read_catalogue

ROOT = Path(__file__).parents[2]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")
PROCESSES = [("Control plane", ControlPlaneSettings), ("Agent", AgentSettings)]
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "hours": 3600.0, "days": 86_400.0}


@pytest.mark.parametrize(("heading", "model"), PROCESSES)
def test_every_setting_is_documented_once_and_no_other(
    heading: str, model: type[BaseModel]
) -> None:
    assert sorted(key for key, _ in _documented(heading)) == sorted(_defaults(model))


@pytest.mark.parametrize(("heading", "model"), PROCESSES)
def test_documented_durations_switches_and_numbers_are_the_defaults(
    heading: str, model: type[BaseModel]
) -> None:
    defaults = _defaults(model)
    for key, said in _documented(heading):
        default = defaults[key]
        if isinstance(default, bool):
            assert said == f"`{str(default).lower()}`", key
        elif isinstance(default, timedelta):
            assert _length(said) == default, key
        elif isinstance(default, int | float):
            assert _number(said) == default, key


@pytest.mark.parametrize(("heading", "model"), PROCESSES)
def test_documented_texts_are_the_defaults(heading: str, model: type[BaseModel]) -> None:
    defaults = _defaults(model)
    for key, said in _documented(heading):
        default = defaults[key]
        if isinstance(default, str | Path | tuple) and default:
            assert said.partition("`, ")[0].strip("`") == _written(default), key
        elif default in ("", None) or default is PydanticUndefined:
            assert "`" not in said or said.startswith(("as `", "required")), f"{key} has none"


def test_every_text_that_is_a_default_is_compared() -> None:
    defaults = _defaults(ControlPlaneSettings) | _defaults(AgentSettings)
    texts = {key for key, default in defaults.items() if isinstance(default, str) and default}
    assert {"policy", "dispatch.order", "listen", "local_listen", "served_by"} <= texts


def test_a_section_can_be_set_as_json_in_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    (value,) = re.findall(r"HELIOSTAT_KEEP='(.*)'", CONFIGURATION)
    monkeypatch.setenv("HELIOSTAT_KEEP", value)
    assert load_settings().keep.audit == timedelta(days=365)


def test_the_catalogue_for_trying_things_out_starts_replicas_in_seconds() -> None:
    quick = read_catalogue(ROOT / "deploy" / "catalogue-quick.yaml")
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    (pool,) = set(re.findall(r"fleet scale (\S+)", page))
    assert pool in {str(spec.key) for spec in quick.pools}
    assert quick.lead_time_priors
    for prior in quick.lead_time_priors.values():
        assert prior.p90 < timedelta(seconds=10)


def _documented(heading: str) -> Iterator[tuple[str, str]]:
    """Each key that a section's tables name, with what they say is its default."""
    section = CONFIGURATION.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if not line.startswith("| `"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        # Three columns have a meaning at the end; four are two pairs beside each other.
        for keys, said in zip(cells[:3:2], cells[1::2], strict=False):
            names = re.findall(r"`([a-z_.]+)`", keys)
            shared = said.endswith(" each") or ", " not in said
            each = [said.removesuffix(" each")] * len(names) if shared else said.split(", ")
            yield from zip(names, each, strict=True)


def _defaults(model: type[BaseModel], prefix: str = "") -> dict[str, object]:
    """Every key of these settings with its default, sections by their keys."""
    found: dict[str, object] = {}
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if section is None:
            found[prefix + name] = field.default
        else:
            found |= _defaults(section, f"{prefix}{name}.")
    return found


def _written(default: str | Path | tuple[str, ...]) -> str:
    """A text as YAML has it; lists are JSON."""
    return json.dumps(default) if isinstance(default, tuple) else str(default)


def _length(said: str) -> timedelta:
    """`15 min`, as the pages write lengths of time."""
    number, unit = said.split(" ")
    return timedelta(seconds=float(number) * _SECONDS[unit])


def _number(said: str) -> float:
    """`20,000`, `8 MiB` or `0 = one per core`."""
    number = float(said.split(" ")[0].replace(",", ""))
    return number * 2**20 if said.endswith("MiB") else number
