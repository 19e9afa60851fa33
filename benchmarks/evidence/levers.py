"""The effect of a single lever: a policy with it against the same policy without it, at equal SLO."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.evidence.reading import Standing, relative, told_change
from benchmarks.evidence.tables import table
from benchmarks.evidence.wording import NOTHING, percent
from simulation.experiments.intervals import Estimate
from simulation.experiments.result import BILLED, JUDGED

SAVES, COSTS = "saves", "costs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """A lever's name, and the policy that has it beside the one that lacks it alone."""

    name: str
    with_it: Standing | None
    without_it: Standing | None


def levers_table(levers: Iterable[Lever]) -> str:
    """One row per lever; its effect is in billed GPU-hours."""
    return table(
        ("lever", "with it", "without it", "GPU-hours with it", "effect"),
        [
            (
                lever.name,
                _name(lever.with_it),
                _name(lever.without_it),
                _changed(lever),
                earning(lever),
            )
            for lever in levers
        ],
        right=(3,),
    )


def earning(lever: Lever) -> str:
    """In words, by the same rule as verdicts: a change counts when its interval excludes zero."""
    ours, theirs = lever.with_it, lever.without_it
    if ours is None or theirs is None:
        return "not run"
    if not (ours.settled and theirs.settled):
        return "search not finished"
    if not (ours.reached or theirs.reached):
        kept, without = percent(ours.value(JUDGED)), percent(theirs.value(JUDGED))
        return f"both miss the level: {kept} at best with it, {without} without"
    if not ours.reached:
        return f"misses the level: {percent(ours.value(JUDGED))} at best with it"
    if not theirs.reached:
        return f"needed to reach the level: {percent(theirs.value(JUDGED))} at best without it"
    word = change_word(relative(ours, theirs, BILLED))
    dearer = {COSTS: ours, SAVES: theirs}.get(word)
    if dearer is None or not dearer.on_the_floor:
        return word
    return f"{word} at most this: {percent(dearer.value(JUDGED))} already with the least headroom"


def _changed(lever: Lever) -> str:
    """Nothing while a search is unfinished: its current setting is not final."""
    ours, theirs = lever.with_it, lever.without_it
    if ours is None or theirs is None or not (ours.settled and theirs.settled):
        return NOTHING
    return told_change(ours, theirs, BILLED)


def change_word(found: Estimate | None) -> str:
    """saves, costs, or no significant difference."""
    if found is None or found.low is None or found.high is None:
        return "one seed gives no interval"
    if found.high < 0:
        return SAVES
    return COSTS if found.low > 0 else "no significant difference"


def _name(one: Standing | None) -> str:
    return NOTHING if one is None else one.policy
