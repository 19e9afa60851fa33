"""Every policy on a large week, on measured tenants and on a small fleet, at three levels, with bounds."""

from __future__ import annotations

from typing import Any

from benchmarks.evidence.drawing.bars import bars_picture
from benchmarks.evidence.drawing.frontier import frontier_picture
from benchmarks.evidence.judging import change_row, limit_row
from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.page import EvidencePage, Shown
from benchmarks.evidence.pages import policies_levers
from benchmarks.evidence.reading import (
    Standing,
    above_bound,
    changes,
    cheapest,
    frontiers,
    linear_point,
    relative,
    standing,
    told_change,
)
from benchmarks.evidence.tables import MARKS, Row, claims_table, standings_table, table
from benchmarks.evidence.wanted import Match, rival
from benchmarks.evidence.wording import NOTHING, change, level_words, number
from simulation.experiments.ceilings import LP_GPU_HOURS, ORACLE
from simulation.experiments.result import BILLED, OVERHEAD

LEVELS = (0.99, 0.95, 0.98)
LEVEL = LEVELS[0]
WEEK, TENANTS, SMALL = "week", "tenants", "small"
PEAK_DAY, SMALL_DAY = "peak-day", "small-day"
"""A day of the same fleet and demand, on which settings are searched."""
NAMES = (
    "heliostat",
    "reactive",
    "keda",
    "llumnix",
    "siloed",
    "lt-i",
    "lt-u",
    "lt-ua",
)
WIDE = rival("reactive-70-30", "reactive, wide band", router="nearest")
"""Thresholds as far apart as SageServe's: on some fleets the cheaper reactive rule of the two."""
REACTIVES = ("reactive", WIDE.name)
SPREAD = rival("chiron", "chiron, spread", dispatch="least-work", prefill="whole-prompts")
"""Packed, Chiron breaks too many promises of a second; this is its better setting (decision 0019)."""
SCENARIOS = {
    WEEK: "three US regions, four models, twenty busy replicas per model",
    TENANTS: "205 measured tenants with their data gaps, two models, three regions around the globe",
    SMALL: "an eighth of the week: two or three busy replicas per model, minimum replicas weigh heavily",
}
_JUDGED = (rival("heliostat"), rival("reactive"), WIDE)
_OTHERS = (*(rival(name) for name in NAMES[2:]), SPREAD)
_SHOWN = (*NAMES[:2], WIDE.name, *NAMES[2:], SPREAD.name, ORACLE.name)
_SIDE: dict[str, Any] = {"levels": LEVELS, "side_seeds": 1}
WANTS = (
    Match(scenario=WEEK, policies=_JUDGED, bounds=True, search_on=PEAK_DAY, **_SIDE),
    policies_levers.WANT,
    Match(scenario=TENANTS, policies=_JUDGED, bounds=True, **_SIDE),
    Match(scenario=SMALL, policies=_JUDGED, bounds=True, search_on=SMALL_DAY, **_SIDE),
    Match(scenario=WEEK, policies=_OTHERS, seeds=1, search_on=PEAK_DAY, **_SIDE),
    Match(scenario=TENANTS, policies=_OTHERS, seeds=1, **_SIDE),
    Match(scenario=SMALL, policies=_OTHERS, seeds=1, search_on=SMALL_DAY, **_SIDE),
)


def claims(ledger: Ledger) -> list[Row]:
    """Heliostat's own targets, judged like all other claims."""
    rows = []
    for role in (WEEK, TENANTS, SMALL):
        ours, reactive = standing(ledger, role, "heliostat", LEVEL), _reactive(ledger, role, LEVEL)
        oracle = _oracle(ledger, role)
        rows.append(
            change_row(
                f"`{role}`: GPU-hours against the cheaper reactive rule at its own best headroom",
                ours,
                reactive,
                BILLED,
                -0.2,
            )
        )
        if role != WEEK:
            continue
        rows += [
            change_row(
                f"`{role}`: scaling overhead against reactive", ours, reactive, OVERHEAD, -0.6
            ),
            limit_row(
                f"`{role}`: GPU-hours above the LP bound",
                ours,
                above_bound(ledger, role, ours, LEVEL),
                0.30,
            ),
            limit_row(
                f"`{role}`: GPU-hours above the causal oracle",
                ours,
                relative(ours, oracle, BILLED),
                0.15,
            ),
        ]
    return rows


def show(ledger: Ledger) -> Shown:
    """Tables and pictures of the page."""
    sections = []
    pictures = {}
    for role, words in SCENARIOS.items():
        at = {name: standing(ledger, role, name, LEVEL) for name in _SHOWN}
        if not any(at.values()):
            continue
        base = _reactive(ledger, role, LEVEL)
        bound = _bound(ledger, role, LEVEL)
        sections.append(
            {
                "role": role,
                "words": words,
                "table": standings_table(list(at.items()), base),
                "levels": _levels_table(ledger, role),
                "bounds": _bounds_table(ledger, role),
            }
        )
        pictures[f"policies-{role}-frontier.svg"] = frontier_picture(
            f"GPU-hours billed and promises kept, {role}",
            frontiers(ledger, role, at),
            LEVELS,
            bound,
        )
        pictures[f"policies-{role}-bars.svg"] = bars_picture(
            f"GPU-hours against {base.policy if base else REACTIVES[0]} at 99 %, {role}",
            changes(at, base),
        )
    return Shown(
        values={
            "claims": claims_table(claims(ledger)),
            "sections": sections,
            **policies_levers.levers(ledger),
            "marks": MARKS,
            "levels": [level_words(level) for level in sorted(LEVELS)],
        },
        pictures=pictures,
    )


def _reactive(ledger: Ledger, role: str, level: float) -> Standing | None:
    """The cheaper of the two reactive rules there."""
    return cheapest(standing(ledger, role, name, level) for name in REACTIVES)


def _oracle(ledger: Ledger, role: str) -> Standing | None:
    """The causal oracle; None where it does not reach the level either, and is no bound."""
    found = standing(ledger, role, ORACLE.name, LEVEL)
    return found if found is not None and found.reached else None


def _bound(ledger: Ledger, role: str, level: float) -> float | None:
    point = linear_point(ledger, role, level)
    found = None if point is None else point.mean(LP_GPU_HOURS)
    return None if found is None else found.mean


def _levels_table(ledger: Ledger, role: str) -> str:
    """Billed at each level, against reactive at the same level."""
    levels = sorted(LEVELS)
    bases = {level: _reactive(ledger, role, level) for level in levels}

    def cell(name: str, level: float) -> str:
        one = standing(ledger, role, name, level)
        if one is None:
            return NOTHING
        mark = " …" if not one.settled else "" if one.reached else " †"
        base = bases[level]
        comparable = base is not None and one.settled and base.settled and name != base.policy
        against = f", {told_change(one, base, BILLED)}" if comparable else ""
        return f"{number(one.mean(BILLED))}{mark}{against}"

    rows = [(name, *(cell(name, level) for level in levels)) for name in _SHOWN]
    linear = [linear_point(ledger, role, level) for level in levels]
    bound = ("LP bound", *(NOTHING if p is None else number(p.mean(LP_GPU_HOURS)) for p in linear))
    return table(("policy", *(level_words(level) for level in levels)), [*rows, bound], (1, 2, 3))


def _bounds_table(ledger: Ledger, role: str) -> str:
    """How far above the two bounds everybody is."""
    oracle = _oracle(ledger, role)

    def row(name: str, one: Standing | None) -> tuple[str, str, str]:
        above_oracle = NOTHING if name == ORACLE.name else told_change(one, oracle, BILLED)
        return name, change(above_bound(ledger, role, one, LEVEL)), above_oracle

    return table(
        ("policy at 99 %", "above the LP bound", "above the causal oracle"),
        [row(name, standing(ledger, role, name, LEVEL)) for name in _SHOWN],
        right=(1, 2),
    )


POLICIES = EvidencePage(name="policies", wants=WANTS, show=show)
