"""Queues of one replica: trials are named by their setting, and who is ahead is said by paired intervals."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evidence import queues
from benchmarks.evidence.drawing.lines import lines_picture
from benchmarks.evidence.duels import Spot, duel, spots
from benchmarks.evidence.ledger import Ledger, Trial
from benchmarks.evidence.pages.annealing import ANNEALING, claims
from benchmarks.evidence.queues import KEPT, Setting, policy_name
from benchmarks.evidence.verdicts import Verdict
from benchmarks.evidence.writing import write_page
from scheduling.ordering.registry import ORDERINGS
from simulation.experiments.intervals import Estimate
from simulation.instance.mix import Foresight, Load
from tests.evidence.ledgers import a_ledger

SETTING = Setting(model="32B", cap=1, foresight=Foresight.TASK)
SPOT = Spot(scenario=queues.AT_ONCE, setting=SETTING, headroom=40.0)


def a_trial(ordering: str, kept: float, seed: int, spot: Spot = SPOT) -> Trial:
    return Trial(
        scenario=spot.scenario,
        policy=policy_name(ordering, spot.setting),
        headroom=spot.headroom,
        seed=seed,
        figures={KEPT: kept, queues.SECONDS: 100.0 * (1 - kept), queues.GAIN: kept},
    )


def ledger(kept: Mapping[str, float], spot: Spot = SPOT) -> Ledger:
    """Three seeds, which differ alike for everybody."""
    trials = [
        a_trial(name, share + 0.01 * seed, seed, spot)
        for name, share in kept.items()
        for seed in (1, 2, 3)
    ]
    return replace(a_ledger(trials), page="annealing")


def test_a_trial_is_the_mean_over_draws_that_every_ordering_shares() -> None:
    trials = list(
        queues._trials(
            queues.AT_ONCE, SETTING, Load(count=4), 4.0, 1, queues._orderings(4), draws=2
        )
    )
    assert {trial.policy.partition(" | ")[0] for trial in trials} >= {"fcfs", "exhaustive"}
    assert {trial.policy.partition(" | ")[2] for trial in trials} == {str(SETTING)}
    best = next(t for t in trials if t.policy.startswith(queues.EXHAUSTIVE))
    assert 0 <= (best.figures[KEPT] or 0.0) <= 1


def test_a_measurement_can_be_repeated() -> None:
    def once() -> list[Trial]:
        load = Load(count=6, per_second=0.2)
        heliostat = {"heliostat": ORDERINGS["heliostat"]}
        return list(queues._trials(queues.STREAM, SETTING, load, 0.2, 3, heliostat, draws=2))

    assert once() == once()


def test_the_best_rival_is_the_one_with_the_highest_mean_there() -> None:
    found = duel(ledger({"a": 0.3, "b": 0.4, "c": 0.5}), SPOT, "b", ("a", "c"), KEPT)
    assert found is not None
    assert (found.rival, found.behind, found.ahead) == ("c", True, False)
    assert found.change.estimate.mean == pytest.approx(-0.1)


def test_who_is_ahead_on_some_seeds_only_is_neither_ahead_nor_behind() -> None:
    trials = [a_trial("a", 0.3 + luck, seed) for seed, luck in ((1, 0.1), (2, -0.1), (3, 0.02))]
    trials += [a_trial("b", 0.3, seed) for seed in (1, 2, 3)]
    found = duel(a_ledger(trials), SPOT, "a", ("b",), KEPT)
    assert found is not None
    assert not found.ahead
    assert not found.behind


def test_nobody_duels_where_nothing_was_measured() -> None:
    assert duel(ledger({"a": 0.3}), SPOT, "a", ("b",), KEPT) is None
    assert duel(ledger({"a": 0.3}), replace(SPOT, headroom=7.0), "a", ("a",), KEPT) is None


def test_points_of_a_sweep_are_found_once() -> None:
    assert list(spots(ledger({"a": 0.3, "b": 0.4}), (queues.AT_ONCE,), (SETTING,))) == [SPOT]


def test_being_behind_anywhere_is_said_with_the_place() -> None:
    rows = claims(ledger({"heliostat": 0.3, "sjf": 0.4, "fcfs": 0.1, "annealing": 0.2}))
    row = next(one for one in rows if one.claim.startswith("`at-once`: heliostat"))
    assert row.verdict is Verdict.NOT
    assert str(SPOT) in row.reason


def test_being_ahead_everywhere_holds() -> None:
    rows = claims(ledger({"heliostat": 0.5, "sjf": 0.4, "fcfs": 0.1, "annealing": 0.2}))
    by_claim = {row.claim: row for row in rows}
    own = next(row for claim, row in by_claim.items() if claim.startswith("`at-once`: heliostat"))
    assert own.verdict is Verdict.HOLDS
    paper = next(
        row for claim, row in by_claim.items() if "annealing against FCFS: promises" in claim
    )
    assert paper.verdict is Verdict.IN_PART


def test_a_page_of_a_part_of_the_measurements_is_whole(tmp_path: Path) -> None:
    text = write_page(ANNEALING, ledger({"heliostat": 0.5, "fcfs": 0.1}), tmp_path).read_text()
    assert "| heliostat |" in text
    assert (tmp_path / "pictures" / "annealing-at-once.svg").exists()


def test_lines_are_drawn_with_gaps_for_what_was_not_measured() -> None:
    share = Estimate(mean=0.5, low=0.4, high=0.6, count=5)
    svg = lines_picture(
        "Shares", {"one": {"a": [(1.0, share), (2.0, None), (4.0, share)]}, "none": {}}, "many"
    )
    root = ET.fromstring(svg)
    assert len([one for one in root.iter() if one.tag.endswith("circle")]) == 2
    assert "Nothing was measured." in svg


def test_plans_are_timed_after_warm_up() -> None:
    ordering = ORDERINGS["fcfs"]
    jobs = Load(count=3).jobs(np.random.default_rng(1))
    queue = queues.queue_of(jobs, SETTING)
    assert queues.plan_milliseconds(ordering, queue, times=3) >= 0
