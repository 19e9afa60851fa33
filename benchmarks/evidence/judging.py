"""Rows of claims, computed from figures: reasons follow the same rules as verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.evidence.reading import Standing, at_the_level, gain_of, relative, widened
from benchmarks.evidence.tables import Row
from benchmarks.evidence.verdicts import Verdict, of_best, of_gain, of_limit
from benchmarks.evidence.wording import AS_RUN, NOTHING, change, listed, percent, plain, signed
from simulation.experiments.intervals import Estimate, difference
from simulation.experiments.result import JUDGED

NOTHING_RAN = "no run of it has finished"
STILL_SEARCHED = "the search for its settings has not finished"


def change_row(
    claim: str,
    ours: Standing | None,
    theirs: Standing | None,
    figure: str,
    claimed: float,
    *,
    because: str = "",
    asked: str = "",
    called: str = "gain",
    resolution: float = 0.0,
) -> Row:
    """A claim that a figure changes by at least `claimed` (−0.25: falls by a quarter) against another policy.

    A policy that misses the level at every headroom has no gain at equal SLO: the claim does not
    hold, whatever it bills. A bill that is an upper limit (`Standing.on_the_floor`) leaves a verdict that
    depends on it untested. Without runs of both, and a finished search, it is not run yet. `because` is
    appended to the computed reason. `called` names a change in that direction for the reader: a gain, or a
    price. `resolution` is the relative change that the figure cannot tell from none: intervals are that much
    wider to each side.
    """
    found = widened(relative(ours, theirs, figure), resolution)
    gain = gain_of(found, fewer_is_better=claimed < 0)
    verdict = of_gain(gain, abs(claimed))
    reason = gain_reason(gain, abs(claimed), verdict, called)
    if ours is None or theirs is None:
        verdict, reason = Verdict.NOT_RUN, NOTHING_RAN
    elif not (ours.settled and theirs.settled):
        found, verdict, reason = None, Verdict.NOT_RUN, STILL_SEARCHED
    elif not ours.reached:
        verdict, reason = Verdict.NOT, _misses(ours)
    elif not theirs.reached:
        reason += (
            f"; `{theirs.policy}` itself misses the level ({_kept(theirs)}) and is shown at its "
            "best setting"
        )
    elif (dear := _upper_limit(ours, theirs, verdict)) is not None:
        verdict = Verdict.UNTESTED
        reason = (
            f"`{dear.policy}` already keeps {percent(dear.value(JUDGED))} with the least headroom "
            "tried, so its bill is only an upper limit"
        )
    as_run = found is not None and ours and theirs and not at_the_level(ours, theirs, figure)
    return Row(
        claim=claim,
        asked=asked or signed(claimed),
        found=change(found) + (AS_RUN if as_run else ""),
        verdict=verdict,
        reason=_sentence(reason, because),
    )


def _upper_limit(ours: Standing, theirs: Standing, verdict: Verdict) -> Standing | None:
    """The policy whose bill is an upper limit and decides: ours without a gain, theirs with one."""
    dear = ours if verdict is Verdict.NOT else theirs
    return dear if dear.on_the_floor and verdict is not Verdict.UNTESTED else None


def gain_reason(
    gain: Estimate | None, claimed: float, verdict: Verdict, called: str = "gain"
) -> str:
    """The reason for the verdict, in words."""
    if gain is None:
        return "not measured"
    if gain.low is None or gain.high is None:
        return "one seed gives no interval"
    if verdict is Verdict.HOLDS:
        if gain.low >= claimed:
            return "the whole interval exceeds the claim"
        return "the mean reaches the claim and the interval excludes zero"
    if verdict is Verdict.IN_PART:
        return f"a significant {called}, but {_share_of(gain, claimed)} of the claimed one"
    if verdict is Verdict.NOT:
        worse = gain.high < 0
        return (
            "significant, but in the opposite direction" if worse else "no significant difference"
        )
    return "the interval includes both zero and the claim; more seeds are needed"


def _share_of(gain: Estimate, claimed: float) -> str:
    share = gain.mean / claimed
    return "just short" if share >= 0.9 else f"only {100 * share:.0f} %"


def limit_row(
    claim: str,
    ours: Standing | None,
    found: Estimate | None,
    most: float,
    *,
    asked: str = "",
    because: str = "",
) -> Row:
    """A claim that what ours bills above a bound stays at or below `most`."""
    verdict = of_limit(found, most)
    reason = {
        Verdict.HOLDS: "the whole interval is within the limit",
        Verdict.IN_PART: "the mean is within the limit, the interval is not",
        Verdict.NOT: "the mean exceeds the limit",
        Verdict.UNTESTED: "there is no bound, or no interval",
    }[verdict]
    if ours is None:
        found, verdict, reason = None, Verdict.NOT_RUN, NOTHING_RAN
    elif not ours.settled:
        found, verdict, reason = None, Verdict.NOT_RUN, STILL_SEARCHED
    elif not ours.reached:
        verdict, reason = Verdict.NOT, _misses(ours)
    as_run = found is not None and ours is not None and ours.slope is None
    return Row(
        claim=claim,
        asked=asked or f"≤ {percent(most, 0)}",
        found=change(found) + (AS_RUN if as_run else ""),
        verdict=verdict,
        reason=_sentence(reason, because),
    )


def best_row(
    claim: str,
    ours: Standing | None,
    rivals: Sequence[Standing | None],
    figure: str,
    *,
    asked: str,
    digits: int = 1,
    because: str = "",
) -> Row:
    """A claim that ours has the least of a figure among these policies."""
    if ours is None:
        return Row(
            claim=claim,
            asked=asked,
            found=NOTHING,
            verdict=Verdict.NOT_RUN,
            reason=_sentence(NOTHING_RAN, because),
        )
    known = [rival for rival in rivals if rival is not None]
    gains = [_gain(ours, rival, figure) for rival in known]
    verdict = of_best([*gains, *(None for rival in rivals if rival is None)])
    if verdict is Verdict.UNTESTED and len(known) < len(rivals):
        verdict = Verdict.NOT_RUN
    beaten = [r.policy for r, g in zip(known, gains, strict=True) if g and (g.low or 0) > 0]
    ahead = [
        r.policy
        for r, g in zip(known, gains, strict=True)
        if g and g.high is not None and g.high < 0
    ]
    said = [
        f"better than {listed(beaten)}" if beaten else "not significantly better than any of them",
        f"worse than {listed(ahead)}" if ahead else "",
        "not every baseline was run" if len(known) < len(rivals) else "",
    ]
    if not any(gains):
        said = ["not measured"]
    values = [f"{s.policy} {plain(s.value(figure), digits)}" for s in (ours, *known)]
    return Row(
        claim=claim,
        asked=asked,
        found=", ".join(values),
        verdict=verdict,
        reason=_sentence(", ".join(part for part in said if part), because),
    )


def _gain(ours: Standing, theirs: Standing, figure: str) -> Estimate | None:
    found = difference(theirs.point.by_seed(figure), ours.point.by_seed(figure))
    return None if found is None else found.estimate


def _kept(one: Standing) -> str:
    return f"{percent(one.value(JUDGED))} at best"


def _misses(one: Standing) -> str:
    return f"`{one.policy}` misses the level at every headroom tried ({_kept(one)})"


def _sentence(reason: str, because: str) -> str:
    first = reason[:1].upper() + reason[1:] + "."
    return f"{first} {because}".strip()
