"""Shows an experiment's findings at 80 columns: every policy at equal SLO, and how they differ."""

from __future__ import annotations

from services.cli.figures import NOTHING, at, count, rate
from services.cli.output import Output
from simulation.experiments.comparison import Contest
from simulation.experiments.experiment import Findings
from simulation.experiments.intervals import Estimate
from simulation.experiments.result import BILLED, DOLLARS, IDLE, JUDGED, OVERHEAD
from simulation.reports.words import (
    billed_sentences,
    bound_sentences,
    floor_sentences,
    idle_sentences,
    lent_sentences,
    miss_sentences,
    owed_sentences,
)


def show_findings(out: Output, findings: Findings, *, found: int) -> None:
    """The table, the differences, and what it took. `found` runs were finished before."""
    experiment = findings.experiment
    seeds = f"{len(experiment.seeds)} seed{'s' if len(experiment.seeds) > 1 else ''}"
    out.say(
        f"{experiment.scene.name}, {at(findings.begins)} to {at(findings.ends)}, {seeds}, "
        f"{experiment.engine} engine"
    )
    out.table(
        "",
        ["policy", "headroom>", "in SLO>", "GPU-hours>", "±>", "idle>", "scaling>", "dollars>"],
        [_row(one) for one in findings.contests],
        empty="No policies were given.",
    )
    told = (
        miss_sentences,
        idle_sentences,
        floor_sentences,
        billed_sentences,
        bound_sentences,
        owed_sentences,
        lent_sentences,
    )
    for sentence in (sentence for sentences in told for sentence in sentences(findings)):
        out.say(sentence)
    if findings.said:
        out.say("")
        out.say("Assumptions:")
    for sentence in findings.said:
        out.say(f"· {sentence}")
    spent, served = findings.cpu_seconds, findings.requests
    earlier = f", {found} of them reused" if found else ""
    out.say(
        f"{len(findings.outcomes)} runs{earlier}; {count(served)} requests in {count(spent)} CPU "
        "seconds" + (f", {rate(served / spent)} per second." if spent else ".")
    )


def _row(one: Contest) -> list[str]:
    point = one.point
    if point is None or one.chosen is None:
        return [one.policy.name, "failed", *[NOTHING] * 6]
    figures = [point.mean(name) for name in (BILLED, IDLE, OVERHEAD)]
    billed, idle, scaling = (None if found is None else found.mean for found in figures)
    kept, dollars = point.mean(JUDGED), point.mean(DOLLARS)
    return [
        one.policy.name + ("" if one.reached else " *"),
        f"{one.chosen:g}",
        NOTHING if kept is None else f"{100 * kept.mean:.2f}%",
        count(billed),
        _half(figures[0]),
        count(idle),
        count(scaling),
        NOTHING if dollars is None else count(dollars.mean),
    ]


def _half(found: Estimate | None) -> str:
    """Half the interval's width."""
    return NOTHING if found is None or found.high is None else count(found.high - found.mean)
