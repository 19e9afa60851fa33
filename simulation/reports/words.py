"""Findings in sentences, the same on the page and on the command line."""

from __future__ import annotations

from simulation.experiments.comparison import Contest, against
from simulation.experiments.experiment import Findings
from simulation.experiments.intervals import Difference
from simulation.experiments.result import BILLED, IDLE, JUDGED, LENT, OWED
from simulation.reports.bound import above_lp, above_oracle

_NEARLY_ALL = 0.8
"""Of the bill: what is left is too little for a policy to show."""
_NOTICEABLE = 0.01


def billed_sentences(findings: Findings) -> list[str]:
    """How the first policy's billed GPU-hours differ from each other's, at the settings compared."""
    first, *others = findings.contests
    return [
        f"{first.policy.name} bills {difference_words(found, other.policy.name)}"
        f"{'' if first.reached and other.reached else ', not at equal SLO'}."
        for other in others
        if (found := against(first, other, BILLED)) is not None
    ]


def idle_sentences(findings: Findings) -> list[str]:
    """A warning if nearly everything billed is idle: minimums dominate and policies cannot differ."""
    shares = [
        idle.mean / billed.mean
        for one in findings.contests
        if one.point
        and (idle := one.point.mean(IDLE)) is not None
        and (billed := one.point.mean(BILLED)) is not None
        and billed.mean > 0
    ]
    if not shares or min(shares) < _NEARLY_ALL:
        return []
    return [
        f"At least {min(shares):.0%} of every bill is idle: minimum replicas dominate here, and policies "
        "cannot differ. Use more demand, smaller VMs or lower minimums."
    ]


def difference_words(found: Difference, other: str) -> str:
    """`21.6% fewer GPU-hours than reactive (−4,040; 95% interval −4,300 to −3,780, excludes zero)`.

    An interval that includes zero shows no difference: `about as many GPU-hours as reactive (…)`.
    """
    estimate = found.estimate
    fewer = "fewer" if estimate.mean < 0 else "more"
    share = "" if found.relative is None else f"{abs(found.relative):.1%} "
    told_apart = f"{share}{fewer} GPU-hours than {other} ({estimate.mean:+,.0f}; "
    if estimate.low is None or estimate.high is None:
        return f"{told_apart}one seed, so no interval)"
    interval = f"95% interval {estimate.low:+,.0f} to {estimate.high:+,.0f}"
    if found.excludes_zero:
        return f"{told_apart}{interval}, excludes zero)"
    return f"about as many GPU-hours as {other} ({estimate.mean:+,.0f}; {interval}, includes zero)"


def bound_sentences(findings: Findings) -> list[str]:
    """How far the first policy is above the lower bounds."""
    first = findings.contests[0]
    told = (
        (above_lp(first, findings), "the LP bound with perfect knowledge"),
        (above_oracle(first, findings), "the causal oracle"),
    )
    return [
        f"{first.policy.name} bills {difference_words(found, other)}."
        for found, other in told
        if found is not None
    ]


def miss_sentences(findings: Findings) -> list[str]:
    """Which policies did not reach what was asked, and which failed."""
    asked = findings.experiment.attainment
    said = [_miss(one, asked) for one in findings.contests if not one.reached]
    return said + [_failed(one) for one in findings.contests if one.failures]


def _failed(one: Contest) -> str:
    """The first failure, and how many more there were."""
    (headroom, seed, failure), *others = one.failures
    more = f" ({len(others)} more runs failed)" if others else ""
    return (
        f"{one.policy.name} failed at headroom {headroom:g}, seed {seed}, {failure.at}: "
        f"{failure.error}{more}"
    )


def floor_sentences(findings: Findings) -> list[str]:
    """Policies that exceed the requested attainment even at their least headroom, and are billed for it."""
    return [
        f"{one.policy.name} already keeps {100 * kept.mean:.2f}% with the least headroom tried "
        f"({one.chosen:g}), so it is compared at a higher attainment than asked."
        for one in findings.contests
        if one.on_the_floor and one.point and (kept := one.point.mean(JUDGED)) is not None
    ]


def owed_sentences(findings: Findings) -> list[str]:
    """Policies with more than 1 % of their bill for work left at the end."""
    return [
        f"{one.policy.name} owes {owed.mean:,.0f} of its {billed.mean:,.0f} billed GPU-hours for work "
        "left at the end; a longer scenario would show the actual cost."
        for one in findings.contests
        if one.point
        and (owed := one.point.mean(OWED)) is not None
        and (billed := one.point.mean(BILLED)) is not None
        and owed.mean > _NOTICEABLE * billed.mean
    ]


def lent_sentences(findings: Findings) -> list[str]:
    """The bill of policies that lend, at half and full credit by the spot market."""
    return [
        f"{one.policy.name} lent {lent.mean:,.0f} of its {billed.mean:,.0f} billed GPU-hours; "
        f"at half credit it would bill {billed.mean - lent.mean / 2:,.0f}, at full credit "
        f"{billed.mean - lent.mean:,.0f}."
        for one in findings.contests
        if one.point
        and (lent := one.point.mean(LENT)) is not None
        and (billed := one.point.mean(BILLED)) is not None
        and lent.mean > 0
    ]


def _miss(one: Contest, asked: float) -> str:
    if one.point is None:
        return f"{one.policy.name} has no setting at which every seed finished."
    if len(one.points) == 1:
        return f"{one.policy.name} did not reach {100 * asked:g}% at headroom {one.chosen:g}."
    return (
        f"{one.policy.name} did not reach {100 * asked:g}% at any headroom tried; it is shown at its "
        "best setting."
    )
