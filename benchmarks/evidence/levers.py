"""What a single lever earns: a policy with it against the same policy without it, at equal SLO."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.evidence.reading import Standing, relative, told_change
from benchmarks.evidence.tables import table
from benchmarks.evidence.wording import NOTHING, percent
from simulation.experiments.intervals import Estimate
from simulation.experiments.result import BILLED, JUDGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """A lever's name, and the policy that has it beside the one that lacks it alone."""

    name: str
    with_it: Standing | None
    without_it: Standing | None


def levers_table(levers: Iterable[Lever]) -> str:
    """One row a lever; what it earns is in billed GPU-hours."""
    return table(
        ("lever", "with it", "without it", "GPU-hours with it", "so it"),
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
    """In a word, by the same rule as verdicts: a change counts when its interval excludes zero."""
    ours, theirs = lever.with_it, lever.without_it
    if ours is None or theirs is None:
        return "was not lived"
    if not (ours.settled and theirs.settled):
        return "is still being searched"
    if not ours.reached:
        return f"costs the promise: {percent(ours.value(JUDGED))} at best with it"
    if not theirs.reached:
        return f"is what keeps the promise: {percent(theirs.value(JUDGED))} at best without it"
    word = change_word(relative(ours, theirs, BILLED))
    dearer = {"costs": ours, "earns": theirs}.get(word)
    if dearer is None or not dearer.on_the_floor:
        return word
    return f"{word} at most that: {percent(dearer.value(JUDGED))} with the least headroom"


def _changed(lever: Lever) -> str:
    """Nothing while a search goes on: what it stands at by then says nothing."""
    ours, theirs = lever.with_it, lever.without_it
    if ours is None or theirs is None or not (ours.settled and theirs.settled):
        return NOTHING
    return told_change(ours, theirs, BILLED)


def change_word(found: Estimate | None) -> str:
    """earns, costs, or neither that can be shown."""
    if found is None or found.low is None or found.high is None:
        return "cannot be told from one seed"
    if found.high < 0:
        return "earns"
    return "costs" if found.low > 0 else "makes no difference that shows"


def _name(one: Standing | None) -> str:
    return "–" if one is None else one.policy
