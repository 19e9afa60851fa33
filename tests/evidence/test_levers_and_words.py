"""Levers are judged like claims; figures carry true signs; pictures are drawn from whatever there is."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from benchmarks.evidence.drawing.bars import bars_picture
from benchmarks.evidence.drawing.canvas import linear, ticks
from benchmarks.evidence.drawing.course import course_picture
from benchmarks.evidence.drawing.frontier import frontier_picture
from benchmarks.evidence.ledger import Curve
from benchmarks.evidence.levers import Lever, change_word, earning, levers_table
from benchmarks.evidence.reading import Standing, standing
from benchmarks.evidence.wording import change, level_words, listed, number, percent, signed
from simulation.experiments.intervals import Estimate
from tests.evidence.ledgers import HOME, a_ledger, a_trial


def at(name: str, *, kept: float, billed: float) -> Standing | None:
    trials = [a_trial(name, 0.4, seed, kept=kept, billed=billed + seed) for seed in (1, 2, 3)]
    return standing(a_ledger(trials), HOME, name, 0.99)


def test_a_lever_saves_costs_is_needed_or_makes_no_difference() -> None:
    cheap, dear = at("cheap", kept=0.995, billed=80), at("dear", kept=0.995, billed=100)
    late = at("late", kept=0.9, billed=50)
    assert earning(Lever(name="", with_it=cheap, without_it=dear)) == "saves"
    assert earning(Lever(name="", with_it=dear, without_it=cheap)) == "costs"
    assert "misses the level: 90.00 %" in earning(Lever(name="", with_it=late, without_it=cheap))
    kept = earning(Lever(name="", with_it=cheap, without_it=late))
    assert "needed to reach the level: 90.00 % at best without it" in kept
    assert earning(Lever(name="", with_it=None, without_it=cheap)) == "not run"
    told = levers_table([Lever(name="routing", with_it=cheap, without_it=dear)])
    assert "| routing | cheap | dear | −19.6 % [" in told


def test_who_keeps_more_than_was_asked_at_its_least_headroom_may_be_cheaper() -> None:
    """Told the future, a policy may keep 99.9 % with nothing spare: its price is an upper limit."""
    trials = [
        a_trial("oracle", headroom, seed, kept=0.999, billed=100 + headroom + seed)
        for headroom in (0.0, 0.4)
        for seed in (1, 2, 3)
    ]
    floored = standing(a_ledger(trials), HOME, "oracle", 0.99)
    cheap, dear = at("cheap", kept=0.991, billed=80), at("dear", kept=0.991, billed=120)
    at_most = "at most this: 99.90 % already with the least headroom"
    assert earning(Lever(name="", with_it=floored, without_it=cheap)) == f"costs {at_most}"
    assert earning(Lever(name="", with_it=cheap, without_it=floored)) == f"saves {at_most}"
    assert earning(Lever(name="", with_it=floored, without_it=dear)) == "saves"


def test_an_interval_that_includes_zero_is_no_significant_difference() -> None:
    found = Estimate(mean=0.01, low=-0.1, high=0.12, count=3)
    assert change_word(found) == "no significant difference"
    assert "one seed" in change_word(Estimate(mean=0.01, low=None, high=None, count=1))


def test_figures_carry_true_signs_and_their_intervals() -> None:
    found = Estimate(mean=-0.213, low=-0.22, high=0.006, count=5)
    assert change(found) == "−21.3 % [−22.0, +0.6]"
    assert change(Estimate(mean=0.03, low=None, high=None, count=1)) == "+3.0 % (one seed)"
    assert change(None) == "–"


@pytest.mark.parametrize(
    ("mean", "low", "high", "said"),
    [
        (10.0, 9.0, 11.0, "+1000.0 % [+900.0, +1100.0]"),
        (10.5, 8.5, 12.5, "× 11.5 [9.5, 13.5]"),
        (122.468, 108.312, 136.623, "× 123 [109, 138]"),
        (1233.6, None, None, "× 1,235 (one seed)"),
        (40.0, -3.0, 83.0, "× 41 [−2, 84]"),
    ],
)
def test_changes_above_a_thousand_per_cent_are_factors(
    mean: float, low: float | None, high: float | None, said: str
) -> None:
    assert change(Estimate(mean=mean, low=low, high=high, count=3)) == said


def test_other_figures_read_as_text() -> None:
    assert signed(-0.0001) == "0.0 %"
    assert number(Estimate(mean=13720, low=13570, high=13870, count=5)) == "13,720 ± 150"
    assert percent(0.99123) == "99.12 %"
    assert level_words(0.995) == "99.5 %"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(0.0, 10.0, [0, 2, 4, 6, 8, 10]), (13_100.0, 16_900.0, [14_000, 15_000, 16_000])],
)
def test_ticks_are_round(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(found)
    assert linear(low, high, 100, 0)(high) == 0


def test_pictures_of_nothing_say_so_and_all_are_xml() -> None:
    curve = Curve(
        scenario=HOME,
        policy="ours & theirs",
        step_seconds=900,
        busy=(1.0, 2.0),
        ready=(3.0, 3.0),
        overhead=(0.0, 1.0),
    )
    bar = Estimate(mean=-0.2, low=-0.3, high=-0.1, count=3)
    points = [(100.0, 0.98, 1), (120.0, 0.992, 5), (2000.0, 0.9999, 1)]
    pictures = (
        frontier_picture("none", {}, (0.99,)),
        frontier_picture("some", {"a": points, "b": points}, (0.99, 0.95), 80.0),
        bars_picture("none", [("a", None)]),
        bars_picture("some", [("a", bar), ("b", None)], asked=-0.25),
        course_picture("none", []),
        course_picture("some", [curve]),
    )
    for picture in pictures:
        assert ET.fromstring(picture).tag.endswith("svg")
    assert "No finished runs" in pictures[0]
    assert "Nothing was measured" in pictures[2]
    assert "−20.0 %" in pictures[3]
