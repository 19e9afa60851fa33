"""Chooses the method for a series with this much history, and explains fallbacks.

1. The champion, if its history is there.           4. Two days: a day's shape on a level.
2. Fourteen days: day, week and days off.           5. An hour: the last value.
3. Seven days: a day's shape, days off apart.       6. Less: the last value, assumed intervals.
Nothing observed: no forecast at all, never zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from forecasting.families import Family
from forecasting.methods.method import Method

_STALE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is known of one series: since when, how much, how fresh, and whether it began anew."""

    age: timedelta
    observed_share: float
    silence: timedelta
    shifted: bool = False

    @property
    def usable(self) -> timedelta:
        """The age; where half of it is holes, only what was measured."""
        return self.age if self.observed_share >= 0.5 else self.age * self.observed_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The method that serves, and why it is a lesser one ("" = it is not)."""

    method: Method
    degraded: str


def choose(history: History, champion: str | None, family: Family) -> Choice:
    """The champion where it can be used, else the first default that can; says what it gave up."""
    reasons = []
    if history.shifted:
        reasons.append(f"level shift: only the last {days(history.age)} count")
    if history.silence >= _STALE:
        reasons.append(f"newest measurement is {days(history.silence)} old")
    best = family.named(champion) if champion is not None else None
    if champion is not None and best is None:
        reasons.append(f"champion {champion} is not in this family of methods")
    said, best = (f"champion {champion}", best) if best else ("", family.defaults[0])
    method = best if history.usable >= best.needs else _default(history, family)
    if method is not best:
        reasons.append(
            f"{said or best.name} needs {days(best.needs)} of history, "
            f"{days(history.usable)} are there"
        )
    return Choice(method=method, degraded="; ".join(reasons))


def _default(history: History, family: Family) -> Method:
    """The first default whose needs are met; `Family` promises that the last one needs nothing."""
    return next(method for method in family.defaults if history.usable >= method.needs)


def days(length: timedelta) -> str:
    """A length for people: `3.5 d`, `40 min`."""
    if length >= timedelta(days=1):
        return f"{length / timedelta(days=1):.3g} d"
    if length >= timedelta(hours=1):
        return f"{length / timedelta(hours=1):.3g} h"
    return f"{length / timedelta(minutes=1):.0f} min"
