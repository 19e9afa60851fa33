"""SLO-aware annealing against every cheap order: at once, joining, in streams, and with blurred lengths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.evidence import queues
from benchmarks.evidence.duels import Duel, Spot, duel, figure_at, spots, standing_at
from benchmarks.evidence.judging import change_row
from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.page import EvidencePage, Shown
from benchmarks.evidence.queue_tables import (
    blurred_table,
    duel_table,
    exhaustive_table,
    forty_tables,
    pictures,
    stream_tables,
)
from benchmarks.evidence.queues import Setting, settings
from benchmarks.evidence.tables import Row, claims_table
from benchmarks.evidence.verdicts import Verdict, of_best, of_limit
from benchmarks.evidence.wanted import Measured
from benchmarks.evidence.wording import NOTHING, listed, number, percent
from scheduling.ordering.registry import ORDERINGS
from simulation.instance.mix import Foresight

PAPER, OURS, WALK, FIRST = "annealing", "heliostat", "random-walk", "fcfs"
CHEAP = ("fcfs", "sjf", "edf", "pf", "dpa", "least-slack", "qlm")
RIVALS = (*CHEAP, "on-time", WALK, PAPER, queues.NOBODY_STARVES)
"""All but ours and the exhaustive one, which is too slow to run."""
SWEPT = (queues.AT_ONCE, queues.JOINING, queues.STREAM)
EVERY = (
    *settings(queues.MODELS, queues.CAPS),
    *settings(("32B",), queues.CAPS[1:], continuous=True),
)
WANTS = (
    Measured(
        scenario=queues.AT_ONCE,
        measure=queues.at_once,
        said=("Up to 40 requests wait at once for one replica with static batches; ordered once.",),
    ),
    Measured(
        scenario=queues.JOINING,
        measure=queues.joining,
        said=("The same with continuous batching; the queue is reordered before each admission.",),
    ),
    Measured(
        scenario=queues.STREAM,
        measure=queues.streams,
        said=("100 requests of a Poisson stream; the queue is reordered at each arrival.",),
    ),
    Measured(
        scenario=queues.BLURRED,
        measure=queues.blurred,
        said=("40 at once; predicted ÷ true length is lognormal with the deviation shown.",),
    ),
    Measured(
        scenario=queues.PLANS,
        measure=queues.plans,
        said=("CPU time of one order of 40 requests on the machine that made the page.",),
    ),
)


def claims(ledger: Ledger) -> list[Row]:
    """The paper's figures, then our own targets."""
    return [*_of_the_paper(ledger), _walk_row(ledger), *_captured_rows(ledger), *_own_rows(ledger)]


def _forty(model: str, cap: int, foresight: Foresight) -> Spot:
    setting = Setting(model=model, cap=cap, foresight=foresight)
    return Spot(scenario=queues.AT_ONCE, setting=setting, headroom=float(queues.PLANNED))


def _of_the_paper(ledger: Ledger) -> list[Row]:
    asked = (
        ("32B", queues.KEPT, 4.0, "promises kept, up to 5 times as many", "up to 5×"),
        ("32B", queues.SECONDS, -0.316, "mean latency", ""),
        ("7B", queues.KEPT, 0.334, "promises kept", ""),
        ("7B", queues.SECONDS, -0.163, "mean latency", ""),
        ("7B", queues.GAIN, 0.465, "G", ""),
    )
    rows = []
    for model, figure, claimed, words, said in asked:
        for ordering in (PAPER, OURS):
            for foresight in Foresight:
                spot = _forty(model, 1, foresight)
                rows.append(
                    change_row(
                        f"{model}, 40 at once, batch 1, lengths by {foresight.value}, "
                        f"{ordering} against FCFS: {words}",
                        standing_at(ledger, spot, ordering),
                        standing_at(ledger, spot, FIRST),
                        figure,
                        claimed,
                        asked=said,
                    )
                )
    return rows


def _duels(
    ledger: Ledger, ours: str, rivals: Iterable[str], scenarios: Sequence[str], figure: str
) -> list[Duel]:
    named = tuple(rivals)
    found = (duel(ledger, spot, ours, named, figure) for spot in spots(ledger, scenarios, EVERY))
    return [one for one in found if one is not None]


def _count_words(duels: Sequence[Duel]) -> str:
    ahead, behind = sum(one.ahead for one in duels), sum(one.behind for one in duels)
    neither = len(duels) - ahead - behind
    return f"ahead at {ahead}, behind at {behind}, neither at {neither} of {len(duels)} points"


def _walk_row(ledger: Ledger) -> Row:
    duels = [
        one
        for one in _duels(ledger, PAPER, (WALK,), (queues.AT_ONCE,), queues.GAIN)
        if one.spot.headroom == queues.PLANNED
    ]
    return Row(
        claim="Annealing finds a larger G than a random walk with as many evaluations, 40 at once",
        asked="at every point",
        found=_count_words(duels) if duels else NOTHING,
        verdict=of_best([one.change.estimate for one in duels]),
        reason=_behind_words(duels, "On shorter queues both find the best order."),
    )


def _behind_words(duels: Sequence[Duel], else_said: str) -> str:
    if not duels:
        return "Not measured."
    behind = [str(one.spot) for one in duels if one.behind]
    return f"Behind at {listed(behind)}." if behind else else_said


def _captured_rows(ledger: Ledger) -> list[Row]:
    rows = []
    for foresight in Foresight:
        duels = [
            found
            for cap in queues.CAPS
            if (
                found := duel(
                    ledger, _forty("32B", cap, foresight), PAPER, ("sjf", "edf"), queues.KEPT
                )
            )
        ]
        words = [
            f"cap {one.spot.setting.cap}: {percent(one.ours.mean, 1)}, "
            f"{one.rival} {percent(one.theirs.mean, 1)}"
            for one in duels
        ]
        rows.append(
            Row(
                claim="Annealing keeps more promises than the better of SJF and EDF, 32B, 40 at once, "
                f"lengths by {foresight.value}",
                asked="at every cap",
                found=", ".join(words) or NOTHING,
                verdict=of_best([one.change.estimate for one in duels]),
                reason=_behind_words(duels, f"{_count_words(duels).capitalize()}."),
            )
        )
    return rows


def _own_rows(ledger: Ledger) -> list[Row]:
    rows = []
    for scenario in SWEPT:
        duels = _duels(ledger, OURS, RIVALS, (scenario,), queues.KEPT)
        rows.append(
            Row(
                claim=f"`{scenario}`: heliostat keeps at least as many promises as the best baseline",
                asked="behind at no point",
                found=_count_words(duels) if duels else NOTHING,
                verdict=_nowhere_behind(duels),
                reason=_behind_words(duels, "Against the best baseline at each point."),
            )
        )
    rows += [_plan_row(ledger, name) for name in (PAPER, OURS)]
    return rows


def _nowhere_behind(duels: Sequence[Duel]) -> Verdict:
    if not duels:
        return Verdict.NOT_RUN
    behind = sum(one.behind for one in duels)
    if not behind:
        return Verdict.HOLDS
    return Verdict.IN_PART if behind <= len(duels) / 20 else Verdict.NOT


def _plan_row(ledger: Ledger, ordering: str) -> Row:
    found = [
        one
        for setting in settings(("32B",), queues.CAPS)
        if (
            one := figure_at(
                ledger,
                Spot(scenario=queues.PLANS, setting=setting, headroom=float(queues.PLANNED)),
                ordering,
                queues.MILLISECONDS,
            )
        )
    ]
    slowest = max(found, key=lambda one: one.mean, default=None)
    return Row(
        claim=f"An order of 40 requests takes about 1 ms, {ordering}, slowest of all settings",
        asked="≤ 1 ms",
        found=NOTHING if slowest is None else f"{number(slowest, 2)} ms",
        verdict=Verdict.NOT_RUN if slowest is None else of_limit(slowest, 1.0),
        reason="CPU time after warm-up, including tables and answer, on the machine that made the page.",
    )


def show(ledger: Ledger) -> Shown:
    """Tables and pictures of the page."""
    duels = _duels(ledger, OURS, RIVALS, SWEPT, queues.KEPT)
    return Shown(
        values={
            "claims": claims_table(claims(ledger)),
            "forty": forty_tables(ledger),
            "exhaustive": exhaustive_table(ledger),
            "streams": stream_tables(ledger),
            "blurred": blurred_table(ledger),
            "behind": duel_table([one for one in duels if one.behind]),
            "below": duel_table(
                [one for one in duels if not one.behind and one.change.estimate.mean < -0.005]
            ),
            "orderings": list(ORDERINGS),
        },
        pictures=pictures(ledger),
    )


ANNEALING = EvidencePage(name="annealing", wants=WANTS, show=show)
