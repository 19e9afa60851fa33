"""docs/monitoring.md and deploy/alerts.yaml speak of the metrics and log events that there are."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from numpy.random import SeedSequence
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from heliostat.model.dispatch_view import DispatchCounts
from services.agent.bootstrap import build_agent
from services.agent.drivers.simulated import simulated_driver
from services.agent.hands import Hands
from services.agent.settings import AgentSettings
from services.cli.times import parse_length
from services.control_plane.operating_metrics import certificate_end
from services.control_plane.settings import CadenceSettings
from services.control_plane.ticks import PATIENCE, Outcome, Tick
from storage.life import OVERDUE_GRACE
from tests.builders import NOON, a_catalogue
from tests.support.agents import EAST
from tests.support.planes import a_world

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
_OF_PROMETHEUS = {"job", "instance"}


@pytest.fixture
async def registries(tmp_path: Path) -> AsyncIterator[tuple[CollectorRegistry, CollectorRegistry]]:
    """Those of a control plane and of an agent that have just started."""
    settings = AgentSettings(region="east", data_dir=tmp_path, power_safe=False)
    hands = Hands(driver=simulated_driver(EAST, a_catalogue(), SeedSequence(1)))
    agent = build_agent(settings, a_catalogue(), now=NOON, hands_of=lambda _: hands)
    async with a_world() as world:
        metrics = world.plane.metrics
        metrics.watch(lambda: certificate_end(tmp_path / "none.pem"))
        yield metrics.registry, agent.metrics.registry
    await agent.stop(0)


@pytest.fixture
def exported(
    registries: tuple[CollectorRegistry, CollectorRegistry],
) -> Mapping[str, set[str] | None]:
    """Every metric of both processes with its labels; None where it has no sample yet that shows them."""
    return {name: labels for registry in registries for name, labels in _labels(registry)}


async def test_every_metric_is_documented_and_no_other(
    exported: Mapping[str, set[str] | None],
) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `heliostat_")]
    named = [name for row in rows for name in re.findall(r"`(heliostat_\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(exported)


async def test_alerts_watch_metrics_and_labels_that_there_are(
    exported: Mapping[str, set[str] | None],
) -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 10
    for rule in RULES:
        used = re.findall(r"\b((?:heliostat_\w+|up)\b)(?:\{([^}]*)\})?", rule["expr"])
        assert used, rule["alert"]
        for name, matchers in used:
            if name == "up":
                continue
            family = re.sub(r"_(count|sum|bucket)$", "", name)
            assert family in exported, rule["alert"]
            labels = set(re.findall(r"(\w+)\s*[=!]", matchers))
            known = exported[family]
            assert known is None or labels <= known | _OF_PROMETHEUS, rule["alert"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"]["summary"]


def test_what_alerts_count_begins_at_zero_so_that_the_first_failure_is_an_increase(
    registries: tuple[CollectorRegistry, CollectorRegistry],
) -> None:
    samples = [s for registry in registries for f in registry.collect() for s in f.samples]
    counted = re.compile(r"(?:increase|rate|delta)\((heliostat_\w+)(?:\{([^}]*)\})?\[")
    found = [(rule["alert"], *m) for rule in RULES for m in counted.findall(rule["expr"])]
    assert len(found) > 8
    for alert, name, matchers in found:
        wanted = set(re.findall(r'(\w+)="([^"]*)"', matchers))
        begun = [s for s in samples if s.name == name and wanted <= s.labels.items()]
        assert begun, alert
        assert {s.value for s in begun} == {0.0}, alert


def test_a_command_that_is_stuck_is_overdue_for_longer_than_its_alert_waits() -> None:
    """It is seen at the next settling and scraped a minute later at most, and ends after the grace."""
    (rule,) = [rule for rule in RULES if rule["alert"] == "HeliostatCommandsOverdue"]
    seen = CadenceSettings().settle + timedelta(minutes=1)
    assert seen + parse_length("for", rule["for"]) < OVERDUE_GRACE - timedelta(minutes=5)


def test_every_alert_has_its_first_steps_and_there_are_no_others() -> None:
    section = PAGE.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    named = re.findall(r"`(Heliostat\w+)`", section)
    assert sorted(named) == sorted(rule["alert"] for rule in RULES)


def test_outcomes_of_dispatch_are_those_that_are_counted() -> None:
    (row,) = [line for line in PAGE.splitlines() if "heliostat_dispatch_decisions_total" in line]
    counted = set(DispatchCounts.__dataclass_fields__)
    assert set(re.findall(r"`(\w+)`", row.split("|")[3])) == counted
    asked = {m for rule in RULES for m in re.findall(r'outcome="(\w+)"', rule["expr"])}
    assert asked - set(Outcome) <= counted


def test_every_log_event_is_documented_and_no_other() -> None:
    section = PAGE.partition("\n## Log events\n")[2]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    ticks = {f"{tick}_{end}" for tick in Tick for end in (Outcome.DONE, Outcome.FAILED)}
    ticks |= {f"{tick}_{Outcome.SKIPPED}" for tick in PATIENCE}
    assert named == set(_logged()) | ticks | {"log_lines_lost"}


def _labels(registry: CollectorRegistry) -> Iterator[tuple[str, set[str] | None]]:
    for family in registry.collect():
        ours = [s for s in family.samples if not s.name.endswith("_created")]
        names = _asked_for(registry, family) or {name for s in ours for name in s.labels} or None
        yield family.name + ("_total" if family.type == "counter" else ""), names


def _asked_for(registry: CollectorRegistry, family: Metric) -> set[str] | None:
    """The labels with which a metric was made, also before its first sample."""
    made: Any = registry._names_to_collectors.get(family.name)
    return set(getattr(made, "_labelnames", ())) or None


def _logged() -> Iterator[str]:
    """The events that processes log by name: what `say`, `report` and loggers are called with."""
    for room in ("services", "storage"):
        for path in (ROOT / room).rglob("*.py"):
            if "demo" in path.parts or "cli" in path.parts:
                continue
            for call in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(call, ast.Call):
                    yield from _event(call)


def _event(call: ast.Call) -> Iterator[str]:
    match call.func, call.args:
        case ast.Name(id="say" | "report"), [
            ast.Name(id="_log"),
            ast.Constant(value=str(event)),
            *_,
        ]:
            yield event
        case ast.Attribute(value=ast.Name(id="_log")), [ast.Constant(value=str(event)), *_]:
            yield event.partition(":")[0]
