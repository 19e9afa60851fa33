"""Chiron's headline figures re-tested: in its own setting, and with each lever removed."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.evidence.drawing.bars import bars_picture
from benchmarks.evidence.drawing.frontier import frontier_picture
from benchmarks.evidence.judging import change_row
from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.levers import Lever, levers_table
from benchmarks.evidence.page import EvidencePage, Shown
from benchmarks.evidence.reading import (
    Standing,
    changes,
    fixed,
    frontiers,
    relative,
    standing,
    told_change,
)
from benchmarks.evidence.tables import MARKS, Row, claims_table, standings_table, table
from benchmarks.evidence.wanted import Fixed, Match, Wanted, rival
from benchmarks.evidence.wording import change, percent, plain
from simulation.experiments.result import BILLED, JUDGED

LEVEL = 0.99
MIXED, INTERACTIVE = "chiron-mixed", "chiron-interactive"
RATES = {
    "chiron-quarter": "a quarter",
    "chiron-half": "half",
    MIXED: "whole",
    "chiron-double": "double",
}
EFFICIENCY = 1 / 1.7 - 1
"""70 % more requests per GPU-hour = 41 % fewer GPU-hours for the same requests."""
BATCH_SIZES = (16, 64, 256)

ENGINE = {"prefill": "chunks"}
"""Used by all engines of the page: with chunked prompts a packed replica does not stall decoding."""
SPREAD, WHOLE_PROMPTS = "chiron, spread", "chiron, whole prompts"
_RIVALS = tuple(
    rival(name, **ENGINE) for name in ("chiron", "llumnix", "llumnix-untuned", "reactive")
)
_STATIC = tuple(
    rival(scaling, f"{word}, B {size}", batch_size=size, **ENGINE)
    for scaling, word in (("chiron", "chiron scaling"), ("reactive", "reactive scaling"))
    for size in BATCH_SIZES
)
LEVERS = (
    *(
        rival(name, **ENGINE)
        for name in ("chiron-global", "chiron-local", "chiron-ibp", "chiron-unmixed")
    ),
    rival("chiron", SPREAD, dispatch="least-work", **ENGINE),
    rival("chiron", WHOLE_PROMPTS, prefill="whole-prompts"),
    rival("reactive", "reactive, whole prompts", prefill="whole-prompts"),
    *_STATIC,
)
DEFAULTS = (
    rival("chiron", "chiron as it comes", headroom=1.0, **ENGINE),
    rival("llumnix", "llumnix as it comes", headroom=0.43, **ENGINE),
    rival("llumnix-untuned", "llumnix untuned as it comes", headroom=0.0, **ENGINE),
    rival("reactive", "reactive as it comes", headroom=0.43, **ENGINE),
)
_CORRECTIONS = 3
"""A run here takes seconds."""
WANTS: tuple[Wanted, ...] = (
    Match(scenario=MIXED, policies=_RIVALS, levels=(LEVEL,), corrections=_CORRECTIONS),
    Match(scenario=INTERACTIVE, policies=_RIVALS, levels=(LEVEL,), corrections=_CORRECTIONS),
    *(Fixed(scenario=role, policies=DEFAULTS) for role in RATES),
    Match(scenario=MIXED, policies=LEVERS, levels=(LEVEL,), corrections=_CORRECTIONS),
)


def claims(ledger: Ledger) -> list[Row]:
    """One row for every headline figure of the paper, tuned and untuned."""
    rows = []
    for name, word in (("llumnix", "tuned"), ("llumnix-untuned", "untuned")):
        best = _best_rate(ledger, name)
        chiron, llumnix = (
            fixed(ledger, best, one) for one in ("chiron as it comes", _default_of(name))
        )
        rows.append(
            change_row(
                f"SLO attainment against Llumnix, {word}",
                chiron,
                llumnix,
                JUDGED,
                0.9,
                asked="up to +90.0 %",
                because=_at_rate(best, chiron, llumnix),
            )
        )
    for name, word in (("llumnix", "tuned"), ("llumnix-untuned", "untuned")):
        for role, queue in ((MIXED, "with a batch queue"), (INTERACTIVE, "without one")):
            rows.append(
                change_row(
                    f"GPU-hours at 99 % against Llumnix, {word}, {queue}",
                    standing(ledger, role, "chiron", LEVEL),
                    standing(ledger, role, name, LEVEL),
                    BILLED,
                    EFFICIENCY,
                    asked="up to 70 % better GPU efficiency, −41.2 % GPU-hours",
                )
            )
    for claim, ours, theirs in (
        ("the same against the reactive rule (ours, not the paper's)", "chiron", "reactive"),
        (
            "Chiron without its batch-size controller against Llumnix, tuned",
            "chiron-global",
            "llumnix",
        ),
    ):
        rows.append(
            change_row(
                claim,
                standing(ledger, MIXED, ours, LEVEL),
                standing(ledger, MIXED, theirs, LEVEL),
                BILLED,
                EFFICIENCY,
                asked="−41.2 % GPU-hours",
                because="With a batch queue.",
            )
        )
    return rows


def _at_rate(role: str, ours: Standing | None, theirs: Standing | None) -> str:
    """What the gain is to be read with: the rate, what the other keeps there, and what it costs."""
    if ours is None or theirs is None:
        return ""
    return (
        f"At the swept rate where Chiron gains most ({RATES[role]}); both at their defaults. Llumnix keeps "
        f"{percent(theirs.value(JUDGED))} there, and Chiron's GPU-hours change by "
        f"{change(relative(ours.as_run(), theirs.as_run(), BILLED))}."
    )


def _default_of(name: str) -> str:
    return next(one.name for one in DEFAULTS if one.policy == name)


def _best_rate(ledger: Ledger, name: str) -> str:
    """The rate at which Chiron's attainment is most above that policy's."""

    def gained(role: str) -> float:
        ours = fixed(ledger, role, "chiron as it comes")
        found = relative(ours, fixed(ledger, role, _default_of(name)), JUDGED)
        return -1.0 if found is None else found.mean

    return max(RATES, key=gained)


def show(ledger: Ledger) -> Shown:
    """Tables and pictures of the page."""
    mixed = {one.name: standing(ledger, MIXED, one.name, LEVEL) for one in _RIVALS}
    alone = {one.name: standing(ledger, INTERACTIVE, one.name, LEVEL) for one in _RIVALS}
    levers = {
        name: standing(ledger, MIXED, name, LEVEL)
        for name in ("chiron", *(one.name for one in LEVERS), "reactive")
    }
    whole = levers["chiron"]
    return Shown(
        values={
            "claims": claims_table(claims(ledger)),
            "mixed_table": standings_table(list(mixed.items()), mixed["reactive"]),
            "interactive_table": standings_table(list(alone.items()), alone["reactive"]),
            "levers": levers_table(_levers(levers)),
            "levers_table": standings_table(list(levers.items()), whole),
            "batch_table": _batch_table(levers),
            "rates_table": _rates_table(ledger),
            "marks": MARKS,
        },
        pictures={
            "chiron-frontier.svg": frontier_picture(
                "GPU-hours billed and promises kept, with a batch queue",
                frontiers(ledger, MIXED, mixed),
                (LEVEL,),
            ),
            "chiron-levers.svg": bars_picture(
                "GPU-hours against full Chiron at equal SLO",
                changes(levers, whole),
            ),
        },
    )


def _levers(found: Mapping[str, Standing | None]) -> list[Lever]:
    pairs = (
        ("batch sizes by local backpressure", "chiron", "chiron-global"),
        ("IBP and BBP instead of the reactive rule", "chiron", "chiron-local"),
        ("BBP", "chiron", "chiron-ibp"),
        ("the mixed pool with evictions", "chiron", "chiron-unmixed"),
        ("packing", "chiron", SPREAD),
        ("chunked prompts", "chiron", WHOLE_PROMPTS),
        ("the same, under the reactive rule", "reactive", "reactive, whole prompts"),
        *(
            (
                f"Chiron without the controller, at B = {size}",
                f"chiron scaling, B {size}",
                f"reactive scaling, B {size}",
            )
            for size in BATCH_SIZES
        ),
    )
    return [
        Lever(name=name, with_it=found[ours], without_it=found[theirs])
        for name, ours, theirs in pairs
    ]


def _batch_table(levers: dict[str, Standing | None]) -> str:
    return table(
        ("policy", "interactive kept", "batch kept", "ITL p95, s", "evictions", "preemptions"),
        [
            (
                name,
                percent(one.value("slo_attainment.interactive-fast")),
                percent(one.value("slo_attainment.batch")),
                plain(one.value("itl_seconds.interactive-fast.p95"), 3),
                plain(one.value("evictions")),
                plain(one.value("preemptions")),
            )
            for name, one in levers.items()
            if one is not None
        ],
        right=range(1, 6),
    )


def _rates_table(ledger: Ledger) -> str:
    rows = []
    for role, word in RATES.items():
        ours = fixed(ledger, role, "chiron as it comes")
        for policy in DEFAULTS:
            one = fixed(ledger, role, policy.name)
            if one is None:
                continue
            same = one.policy == "chiron as it comes"
            rows.append(
                (
                    word,
                    policy.name,
                    percent(one.value(JUDGED)),
                    plain(one.value(BILLED)),
                    "" if same else change(relative(ours, one, JUDGED)),
                    "" if same else told_change(ours, one, BILLED),
                )
            )
    head = (
        "rate",
        "policy",
        "within SLO",
        "GPU-hours",
        "Chiron's attainment",
        "Chiron's GPU-hours",
    )
    return table(head, rows, right=(2, 3, 4, 5))


CHIRON = EvidencePage(name="chiron", wants=WANTS, show=show)
