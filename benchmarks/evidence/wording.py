"""Figures in the words and signs of the pages: a true minus, intervals in brackets."""

from __future__ import annotations

from collections.abc import Callable

from simulation.experiments.intervals import Estimate

NOTHING = "–"
AS_RUN = " ∘"
"""Marks a change that is not adjusted to exactly the level."""
_FACTOR_ABOVE = 10.0
"""Relative changes above this are written as factors."""


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
    """`−21.3 % [−22.0, −20.6]`, `× 123 [109, 138]` above +1000 %; without an interval the mean alone."""
    if found is None:
        return NOTHING
    if found.mean > _FACTOR_ABOVE:
        return _interval(f"× {_factor(found.mean)}", found, _factor)
    return _interval(
        signed(found.mean, digits), found, lambda end: signed(end, digits).removesuffix(" %")
    )


def _interval(mean: str, found: Estimate, words: Callable[[float], str]) -> str:
    if found.low is None or found.high is None:
        return f"{mean} (one seed)"
    return f"{mean} [{words(found.low)}, {words(found.high)}]"


def _factor(share: float) -> str:
    """What a relative change multiplies by, to three digits."""
    times = 1 + share
    text = f"{times:,.0f}" if abs(times) >= 100 else f"{times:.3g}"
    return text.replace("-", "−")


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
