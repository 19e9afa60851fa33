"""SageServe's page: the same start and fleet, real lead times and no foresight for all policies."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.evidence.drawing.bars import bars_picture
from benchmarks.evidence.drawing.course import course_picture
from benchmarks.evidence.drawing.frontier import frontier_picture
from benchmarks.evidence.excerpts import RECOVERY
from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.levers import Lever, levers_table
from benchmarks.evidence.page import EvidencePage, Shown
from benchmarks.evidence.pages.sageserve_claims import claims, reactive_at_best
from benchmarks.evidence.pages.sageserve_wants import (
    AS_PUBLISHED,
    BURST,
    LEVEL,
    LEVERS,
    LONG_TERM,
    MIXED,
    NINE_TO_ONE,
    ONE_TO_ONE,
    ORDERED,
    PEAK_DAY,
    PLAYERS,
    WANTS,
    WEEK,
    WIDE,
)
from benchmarks.evidence.reading import Standing, changes, fixed, frontiers, standing
from benchmarks.evidence.tables import MARKS, claims_table, standings_table, table
from benchmarks.evidence.wording import number, percent, plain
from simulation.experiments.result import BILLED, JUDGED, OVERHEAD


def show(ledger: Ledger) -> Shown:
    """Tables and pictures of the page."""
    week = {name: standing(ledger, WEEK, name, LEVEL) for name in (one.name for one in PLAYERS)}
    day = {one.name: standing(ledger, PEAK_DAY, one.name, LEVEL) for one in LEVERS}
    mixed = [
        (f"{name}, {role}", standing(ledger, role, name, LEVEL))
        for role in (NINE_TO_ONE, ONE_TO_ONE)
        for name in (one.name for one in MIXED)
    ]
    bursts = [(n, fixed(ledger, BURST, n)) for n in ("reactive", *LONG_TERM)]
    published = [(one.name, fixed(ledger, PEAK_DAY, one.name)) for one in AS_PUBLISHED]
    orders = [(one.name, fixed(ledger, PEAK_DAY, one.name)) for one in ORDERED]
    return Shown(
        values={
            "claims": claims_table(claims(ledger)),
            "week_table": standings_table(list(week.items()), reactive_at_best(ledger, WEEK)),
            "levers": levers_table(_levers(day)),
            "levers_table": standings_table(list(day.items()), reactive_at_best(ledger, PEAK_DAY)),
            "mixes_table": _mixes_table(mixed),
            "published_table": _plain_table(published),
            "orders_table": _orders_table(orders),
            "bursts_table": _bursts_table(bursts),
            "marks": MARKS,
        },
        pictures={
            "sageserve-frontier.svg": frontier_picture(
                "GPU-hours billed and promises kept, week",
                frontiers(ledger, WEEK, week),
                (LEVEL,),
            ),
            "sageserve-levers.svg": bars_picture(
                "GPU-hours against reactive at equal SLO, peak day",
                changes(day, reactive_at_best(ledger, PEAK_DAY)),
                asked=-0.25,
            ),
            "sageserve-bursts.svg": course_picture(
                "An 8 × minute each hour from hour 25 on: capacity against need",
                [curve for curve in ledger.curves if curve.scenario == BURST],
            ),
        },
    )


def _levers(day: Mapping[str, Standing | None]) -> list[Lever]:
    pairs = (
        ("routing by the 70 % rule", "reactive + 70 % router", "reactive"),
        ("a band as wide as from 70 to 30 %", WIDE.name, "reactive"),
        ("forecast and programme, same router", "lt-i", "reactive + 70 % router"),
        ("forecast and programme, nearest router", "lt-i, nearest router", WIDE.name),
        ("gating by utilisation", "lt-u", "lt-i"),
        ("scaling past the programme", "lt-ua", "lt-u"),
        ("regions optimised together (the ILP)", "lt-ua-shared", "lt-ua"),
        ("Heliostat's forecast instead of the last value", "lt-ua", "lt-ua, last value"),
        ("Heliostat's forecast instead of last week's", "lt-ua", "lt-ua, last week"),
        ("knowing the future", "lt-ua, oracle", "lt-ua"),
    )
    return [
        Lever(name=name, with_it=day[ours], without_it=day[theirs]) for name, ours, theirs in pairs
    ]


def _plain_table(rows: list[tuple[str, Standing | None]]) -> str:
    return table(
        ("policy", "within SLO", "GPU-hours", "overhead", "IW-F TTFT p50, s", "p90, s", "p99, s"),
        [
            (
                name,
                percent(one.value(JUDGED)),
                plain(one.value(BILLED)),
                plain(one.value(OVERHEAD)),
                *(
                    plain(one.value(f"ttft_seconds.interactive-fast.{level}"), 2)
                    for level in ("p50", "p90", "p99")
                ),
            )
            for name, one in rows
            if one is not None
        ],
        right=range(1, 7),
    )


def _mixes_table(rows: list[tuple[str, Standing | None]]) -> str:
    """With what each tier keeps: the level is one for all tiers together."""
    tiers = ("interactive-fast", "interactive-normal", "batch")
    return table(
        ("policy", "headroom", "within SLO", *(f"{tier} kept" for tier in tiers), "GPU-hours"),
        [
            (
                name,
                f"{one.point.headroom:g}",
                percent(one.value(JUDGED)),
                *(percent(one.value(f"slo_attainment.{tier}")) for tier in tiers),
                number(one.mean(BILLED)),
            )
            for name, one in rows
            if one is not None
        ],
        right=range(1, 7),
    )


def _orders_table(rows: list[tuple[str, Standing | None]]) -> str:
    tiers = ("interactive-fast", "interactive-normal", "batch")

    def missed(one: Standing, tier: str) -> str:
        kept = one.value(f"slo_attainment.{tier}")
        return percent(None if kept is None else 1 - kept)

    return table(
        ("order", *(f"{tier} violated" for tier in tiers), "GPU-hours"),
        [
            (name, *(missed(one, tier) for tier in tiers), plain(one.value(BILLED)))
            for name, one in rows
            if one is not None
        ],
        right=(1, 2, 3, 4),
    )


def _bursts_table(rows: list[tuple[str, Standing | None]]) -> str:
    return table(
        ("policy", "headroom", "within SLO", "GPU-hours", "minutes until kept again"),
        [
            (
                name,
                f"{one.point.headroom:g}",
                percent(one.value(JUDGED)),
                plain(one.value(BILLED)),
                plain(one.value(RECOVERY), 1),
            )
            for name, one in rows
            if one is not None
        ],
        right=(1, 2, 3, 4),
    )


SAGESERVE = EvidencePage(name="sageserve", wants=WANTS, show=show)
