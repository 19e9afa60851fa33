"""The page on Aladdin: fewer GPUs are gains, what never reaches a level has none, who is behind is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.evidence import fleets
from benchmarks.evidence.fleets import FLEETS, GPUS, KEPT, LAX, STRICT, named
from benchmarks.evidence.ledger import Trial
from benchmarks.evidence.pages.aladdin import (
    ALADDIN_PAGE,
    CAREFUL,
    OURS,
    PUBLISHED,
    QUEUE,
    claims,
    figures,
)
from benchmarks.evidence.tables import Row
from benchmarks.evidence.verdicts import Verdict
from benchmarks.evidence.writing import write_page
from simulation.fewest.contenders import CONTENDERS
from simulation.fewest.sweeps import ALADDIN, REFERENCE
from tests.evidence.ledgers import a_ledger

SEEDS = (1, 2, 3)


def searched(
    gpus: Mapping[str, float | None], configuration: str = REFERENCE, scenario: str = ""
) -> list[Trial]:
    """What contenders need at every rate, a little more with every seed."""
    return [
        Trial(
            scenario=scenario or fleets.STRICT_FEWEST,
            policy=named(name, configuration, 0.95),
            headroom=rate,
            seed=seed,
            figures={GPUS: None if count is None else count + seed, KEPT: 0.95},
        )
        for name, count in gpus.items()
        for rate in fleets.RATES
        for seed in SEEDS
    ]


def on_fleets(kept: Mapping[str, float]) -> list[Trial]:
    return [
        Trial(
            scenario=fleets.STRICT_EQUAL,
            policy=f"{name} | {rate:g}",
            headroom=float(size),
            seed=seed,
            figures={KEPT: share + 0.001 * seed, GPUS: 8.0 * size},
        )
        for name, share in kept.items()
        for rate, sizes in FLEETS[STRICT].items()
        for size in sizes
        for seed in SEEDS
    ]


def rows(trials: list[Trial], *words: str) -> list[Row]:
    ledger = replace(a_ledger(trials), page="aladdin")
    return [row for row in claims(ledger) if all(word in row.claim for word in words)]


def test_fewer_gpus_than_the_queue_hold_in_part_where_the_paper_says_more() -> None:
    found = rows(searched({CAREFUL: 100.0, QUEUE: 200.0}), "1.3×", CAREFUL)
    assert len(found) == len(fleets.RATES)
    assert {row.verdict for row in found} == {Verdict.IN_PART}
    assert all("−4" in row.found for row in found)


def test_its_own_worker_counts_where_it_differs_from_the_reference() -> None:
    own = searched({CAREFUL: 50.0}, ALADDIN)
    found = rows([*searched({CAREFUL: 100.0, QUEUE: 200.0}), *own], "1.3×", CAREFUL)
    assert all("−7" in row.found for row in found)
    assert {row.verdict for row in found} == {Verdict.HOLDS}


def test_what_reaches_the_level_with_no_fleet_has_no_gain() -> None:
    found = rows(searched({PUBLISHED: None, QUEUE: 200.0}), "1.3×", f"{PUBLISHED} on")
    assert {row.verdict for row in found} == {Verdict.NOT}
    assert all("No fleet size reached" in row.reason for row in found)


def test_more_gpus_than_the_queue_do_not_hold() -> None:
    found = rows(searched({OURS: 300.0, QUEUE: 200.0}), "1.3×", OURS)
    assert {row.verdict for row in found} == {Verdict.NOT}


def test_behind_at_one_point_is_behind_and_named() -> None:
    everywhere = on_fleets({OURS: 0.95, QUEUE: 0.9})
    (row,) = rows(everywhere, fleets.STRICT_EQUAL)
    assert row.verdict is Verdict.HOLDS
    assert "behind at 0" in row.found
    worse = [
        replace(one, figures={KEPT: 0.5 + 0.001 * one.seed})
        if one.policy.startswith(OURS) and one.headroom == 8.0 and "| 4" in one.policy
        else one
        for one in everywhere
    ]
    (row,) = rows(worse, fleets.STRICT_EQUAL)
    assert row.verdict is Verdict.NOT
    assert "4 requests/s on 8 workers" in row.reason


def test_oracles_and_halves_of_ours_are_no_rivals() -> None:
    told = on_fleets({OURS: 0.9, QUEUE: 0.85, "best fit, lengths known": 0.99, CAREFUL: 0.99})
    (row,) = rows(told, fleets.STRICT_EQUAL)
    assert row.verdict is Verdict.HOLDS


def test_the_page_shows_who_never_reaches_a_level(tmp_path: Path) -> None:
    trials = [*searched({PUBLISHED: None, QUEUE: 200.0}), *on_fleets({OURS: 0.95, QUEUE: 0.9})]
    ledger = replace(a_ledger(trials), page="aladdin")
    text = write_page(ALADDIN_PAGE, ledger, tmp_path).read_text("utf-8")
    assert "| best fit | reference | never | never | never |" in text
    assert figures(ledger, fleets.STRICT_FEWEST, named(QUEUE, REFERENCE, 0.95), 4.0, GPUS) == {
        1: 201.0,
        2: 202.0,
        3: 203.0,
    }


def test_every_fleet_and_promise_is_swept() -> None:
    assert STRICT.slack < 2 < LAX.slack
    assert FLEETS[STRICT].keys() == FLEETS[LAX].keys() == set(fleets.RATES)
    assert {PUBLISHED, CAREFUL, OURS, QUEUE} <= CONTENDERS.keys()
