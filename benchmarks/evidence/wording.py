"""Figures in the words and signs of the pages: a true minus, intervals in brackets."""

from __future__ import annotations

from simulation.experiments.intervals import Estimate

NOTHING = "–"
AS_LIVED = " ∘"
"""Marks a change that is not told at exactly the level."""


def signed(share: float, digits: int = 1) -> str:
    """`−24.2 %`, `+3.0 %`."""
    text = f"{100 * share:+.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return f"{text.replace('-', '−')} %"


def percent(share: float | None, digits: int = 2) -> str:
    """`99.12 %`."""
    return NOTHING if share is None else f"{100 * share:.{digits}f} %"


def level_words(level: float) -> str:
    """`99 %`, `99.5 %`."""
    return f"{100 * level:g} %"


def change(found: Estimate | None, digits: int = 1) -> str:
    """`−21.3 % [−22.0, −20.6]`; without an interval the mean alone."""
    if found is None:
        return NOTHING
    mean = signed(found.mean, digits)
    if found.low is None or found.high is None:
        return f"{mean} (one seed)"
    low, high = (signed(end, digits).removesuffix(" %") for end in (found.low, found.high))
    return f"{mean} [{low}, {high}]"


def number(found: Estimate | None, digits: int = 0) -> str:
    """`13,720 ± 150`."""
    if found is None:
        return NOTHING
    mean = f"{found.mean:,.{digits}f}"
    if found.high is None:
        return mean
    return f"{mean} ± {found.high - found.mean:,.{digits}f}"


def plain(value: float | None, digits: int = 0) -> str:
    """`13,720`."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def listed(names: list[str]) -> str:
    """`a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
