"""Verdicts from figures alone: an interval over paired seeds against what was claimed.

A gain is counted in the direction of the claim, so that more is better: a claim of −25 % GPU-hours
is a gain of 0.25, whatever bills 3 % more has a gain of −0.03. The rules:

- **holds**: the whole interval is a gain, and its mean reaches the figure claimed;
- **holds in part**: the whole interval is a gain, and its mean lies below the figure claimed;
- **does not hold**: the interval is no gain, or does not exclude none, and lies below the figure claimed;
- **cannot be tested here**: the runs do not measure it, one seed has no interval, or the interval is so
  wide that it holds both nothing and the figure claimed;
- **not run yet**: runs that it needs are missing (who reads the ledger knows; no figure says so).

Of an upper limit (at most so much above a bound) it holds when all of the interval keeps it, in part
when the mean does, else not.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from simulation.experiments.intervals import Estimate


class Verdict(StrEnum):
    """What became of a claim."""

    HOLDS = "holds"
    IN_PART = "holds in part"
    NOT = "does not hold"
    UNTESTED = "cannot be tested here"
    NOT_RUN = "not run yet"


def of_gain(gain: Estimate | None, claimed: float) -> Verdict:
    """Against a gain of at least `claimed`, which is above 0."""
    if gain is None or gain.low is None or gain.high is None:
        return Verdict.UNTESTED
    if gain.low > 0:
        return Verdict.HOLDS if gain.mean >= claimed else Verdict.IN_PART
    return Verdict.UNTESTED if gain.high >= claimed else Verdict.NOT


def of_limit(found: Estimate | None, most: float) -> Verdict:
    """Against at most `most`."""
    if found is None or found.low is None or found.high is None:
        return Verdict.UNTESTED
    if found.high <= most:
        return Verdict.HOLDS
    return Verdict.IN_PART if found.mean <= most else Verdict.NOT


def of_best(gains: Iterable[Estimate | None]) -> Verdict:
    """That one is better than each of its rivals, `gains` being its gain over each of them.

    In part when it is better than some and worse than none; what is unknown of a rival decides nothing but
    that it cannot hold. Without any comparison: not run yet.
    """
    asked = list(gains)
    if not asked:
        return Verdict.NOT_RUN
    known = [gain for gain in asked if gain is not None and gain.low is not None]
    if not known:
        return Verdict.UNTESTED
    better = [gain.low is not None and gain.low > 0 for gain in known]
    worse = [gain.high is not None and gain.high < 0 for gain in known]
    if all(better):
        return Verdict.HOLDS if len(known) == len(asked) else Verdict.UNTESTED
    return Verdict.IN_PART if any(better) and not any(worse) else Verdict.NOT
