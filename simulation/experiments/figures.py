"""A finished world's figures under dotted names, as the report has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliostat.model.instants import Span
from heliostat.model.latency import LatencySketch
from heliostat.model.names import Tier
from simulation.accounts import Accounts
from simulation.engine import EngineModel
from simulation.experiments.foresight import forecast_wape
from simulation.experiments.result import JUDGED
from simulation.world import SimulatedWorld

LATENCIES = ("ttft", "itl", "e2e")
QUANTILES = (0.5, 0.95, 0.99)
_ORDERED = ("bought", "redeployed", "released", "lent", "taken back")
"""What counts as a scale event; failures and refusals are nobody's decision."""


def figures_of(
    world: SimulatedWorld, span: Span, latencies: Mapping[str, LatencySketch]
) -> dict[str, float | None]:
    """Every figure of the run; None where it was not measured."""
    figures = _of_accounts(world.accounts())
    for name, sketch in latencies.items():
        what, tier = name.split("/")
        for level in QUANTILES:
            figures[f"{what}_seconds.{tier}.p{level * 100:g}"] = sketch.quantile(level)
    figures["forecast_wape"] = forecast_wape(world.stores, span)
    return figures


def latencies_of(engine: EngineModel) -> dict[str, LatencySketch]:
    """All requests' latencies by kind and tier, "ttft/interactive-fast" and so on."""
    found: dict[str, LatencySketch] = {}
    for tier in Tier:
        measured = engine.latencies(tier)
        for what in LATENCIES if measured is not None else ():
            sketch: LatencySketch = getattr(measured, what)
            if sketch.count:
                found[f"{what}/{tier}"] = sketch
    return found


def _of_accounts(accounts: Accounts) -> dict[str, float | None]:
    told = accounts.as_mapping()
    reachable = accounts.slo_attainment_reachable_overall
    told[JUDGED] = accounts.slo_attainment_overall if reachable is None else reachable
    events = told.pop("scale_events")
    told["scale_events"] = sum(events.get(kind, 0) for kind in _ORDERED)
    told["scale_events_by_kind"] = events
    return dict(_flat("", told))


def _flat(prefix: str, told: Mapping[Any, Any]) -> list[tuple[str, float | None]]:
    flat: list[tuple[str, float | None]] = []
    for key, value in told.items():
        name = f"{prefix}{key}"
        flat += _flat(f"{name}.", value) if isinstance(value, Mapping) else [(name, value)]
    return flat
