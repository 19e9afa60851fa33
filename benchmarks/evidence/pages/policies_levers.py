"""The effect of each of Heliostat's levers: one working day of `week`, all policies at equal SLO."""

from __future__ import annotations

from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.levers import Lever, levers_table
from benchmarks.evidence.reading import Standing, standing
from benchmarks.evidence.tables import standings_table
from benchmarks.evidence.wanted import Match, rival

DAY = "peak-day"
_LEVEL = 0.99
_SEEDS = 3
WHOLE = "heliostat"
RIVAL = "reactive"
UNPLACED = "heliostat-least-work"
ARMED = "reactive, our routes and order"
_VARIANTS = (
    rival(WHOLE),
    rival("heliostat", "heliostat, fcfs", order="fcfs"),
    rival("heliostat-unpooled"),
    rival("heliostat-batch-now"),
    rival(UNPLACED),
    rival("heliostat-placed"),
    rival("heliostat", "heliostat, last value", forecaster="naive"),
    rival("heliostat", "heliostat, oracle", forecaster="oracle"),
    rival(RIVAL),
    rival("reactive", "reactive, our routes", router="balanced"),
    rival("reactive", ARMED, router="balanced", order="firm"),
)
WANT = Match(scenario=DAY, policies=_VARIANTS, levels=(_LEVEL,), seeds=_SEEDS)
_LEVERS = (
    ("the plan on forecasts, same routes, order and placement", UNPLACED, ARMED),
    ("regions filled evenly", WHOLE, "heliostat-unpooled"),
    ("the same, under the reactive rule", "reactive, our routes", RIVAL),
    ("requests first whose promise can be kept", WHOLE, "heliostat, fcfs"),
    ("the same, under the reactive rule", ARMED, "reactive, our routes"),
    ("placement by Aladdin's rows", WHOLE, UNPLACED),
    ("replicas counted by those rows too", "heliostat-placed", WHOLE),
    ("batch work waits for capacity", WHOLE, "heliostat-batch-now"),
    ("Heliostat's forecast instead of the last value", WHOLE, "heliostat, last value"),
    ("knowing the future", "heliostat, oracle", WHOLE),
)


def levers(ledger: Ledger) -> dict[str, str]:
    """The two tables of the section: the effect of each lever, and every variant's figures."""
    found: dict[str, Standing | None] = {
        one.name: standing(ledger, DAY, one.name, _LEVEL) for one in _VARIANTS
    }
    return {
        "levers": levers_table(
            Lever(name=name, with_it=found[ours], without_it=found[theirs])
            for name, ours, theirs in _LEVERS
        ),
        "levers_table": standings_table(list(found.items()), found[RIVAL]),
    }
