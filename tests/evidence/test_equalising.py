"""Bills are compared at exactly the level, along a policy's own slope."""

import math
from dataclasses import replace

import pytest

from benchmarks.evidence.equalising import Slope, at_level, doubt_at, slope, slope_at
from benchmarks.evidence.ledger import Trial
from benchmarks.evidence.reading import doubted, relative, standing
from simulation.experiments.comparison import Point
from simulation.experiments.intervals import Estimate
from simulation.experiments.result import RunResult
from tests.evidence.ledgers import HOME, a_ledger, a_place, a_trial

ELSEWHERE = "elsewhere"
BILLED = "gpu_hours_billed"


def a_point(*seeds: tuple[float | None, float | None]) -> Point:
    """Of seeds from 1 on, each with its attainment and bill."""
    return Point(
        headroom=0.1,
        results={
            seed: RunResult(
                figures={"slo_attainment_judged": kept, BILLED: billed}, requests=1, cpu_seconds=0.0
            )
            for seed, (kept, billed) in enumerate(seeds, start=1)
        },
    )


@pytest.mark.parametrize(("kept", "times"), [(0.995, 0.5**0.5), (0.99, 1.0), (0.98, 2**0.5)])
def test_a_bill_moves_along_the_slope_to_the_level(kept: float, times: float) -> None:
    found = at_level(a_point((kept, 100.0), (kept, 200.0)), BILLED, 0.99, -0.5)
    assert found == {1: pytest.approx(100 * times), 2: pytest.approx(200 * times)}


def test_who_misses_the_level_in_one_seed_alone_is_dearer_in_that_seed() -> None:
    found = at_level(a_point((0.989, 100.0), (0.991, 100.0)), BILLED, 0.99, -0.5)
    assert found == {1: pytest.approx(105.0), 2: pytest.approx(95.0)}


def test_what_was_not_measured_moves_nowhere() -> None:
    point = a_point((None, 100.0), (0.99, None), (0.99, 100.0))
    assert at_level(point, BILLED, 0.99, -0.5) == {1: None, 2: None, 3: pytest.approx(100.0)}
    assert at_level(a_point((None, 100.0)), BILLED, 0.99, -0.5) == {1: None}


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([(0.02, 100.0), (0.005, 200.0)], -0.5),
        ([(0.02, 100.0), (0.005, 200.0), (0.3, 999.0)], -0.5),
        ([(0.0101, 100.0), (0.0099, 300.0)], None),
        ([(0.02, 200.0), (0.005, 100.0)], 0.0),
        ([(0.012, 100.0), (0.009, 900.0)], -1.0),
        ([(0.01, 100.0)], None),
        ([], None),
    ],
)
def test_the_slope_is_of_settings_around_the_level(
    curve: list[tuple[float, float]], expected: float | None
) -> None:
    found = slope([curve], 0.01)
    assert (found and found.value) == (None if expected is None else pytest.approx(expected))


def test_seeds_tell_one_slope_whatever_their_luck() -> None:
    """The second seed misses twice as much for the same fleets."""
    lucky, unlucky = [(0.02, 100.0), (0.005, 200.0)], [(0.04, 100.0), (0.01, 200.0)]
    found = slope([lucky, unlucky], 0.01)
    assert found is not None
    assert found.value == pytest.approx(-0.5)
    assert found.error == pytest.approx(0.0)


def test_seeds_that_disagree_leave_the_slope_in_doubt() -> None:
    flat, steep = [(0.02, 100.0), (0.005, 100.0)], [(0.02, 100.0), (0.005, 400.0)]
    found = slope([flat, steep], 0.01)
    assert found is not None
    assert found.value == pytest.approx(-0.5)
    assert found.error == pytest.approx(0.5)


def test_settings_near_the_level_tell_the_slope_where_there_are_any() -> None:
    near, far = [(0.015, 100.0), (0.0075, 200.0)], [(0.045, 100.0), (0.0021, 100.0)]
    runs = [
        (headroom, missed, billed)
        for headroom, (missed, billed) in zip((0.1, 0.2, 0.3, 0.4), near + far, strict=True)
    ]
    ledger = a_ledger(trials("ours", HOME, *runs), places=(a_place(),))
    found = slope_at(ledger, HOME, "ours", 0.99)
    assert found is not None
    assert found.value == pytest.approx(-1.0)


def test_the_further_from_the_level_the_more_a_slopes_error_counts() -> None:
    there, off = a_point((0.99, 100.0), (0.99, 90.0)), a_point((0.995, 100.0), (0.995, 90.0))
    assert doubt_at(there, 0.99, Slope(-0.5, 0.1)) == pytest.approx(0.0)
    assert doubt_at(off, 0.99, Slope(-0.5, 0.1)) == pytest.approx(0.1 * math.log(2))


def test_a_slope_in_doubt_widens_a_change_and_moves_it_nowhere() -> None:
    change = Estimate(mean=-0.1, low=-0.13, high=-0.07, count=5)
    wider = doubted(change, 0.04 / 1.96 / 0.9)
    assert wider is not None
    assert wider.low == pytest.approx(-0.15)
    assert wider.high == pytest.approx(-0.05)
    assert wider.mean == change.mean
    assert doubted(change, 0.0) == change


def trials(policy: str, scenario: str, *settings: tuple[float, float, float]) -> list[Trial]:
    """(headroom, missed, billed) with three seeds."""
    return [
        a_trial(policy, headroom, seed, kept=1 - missed, billed=billed, scenario=scenario)
        for headroom, missed, billed in settings
        for seed in (1, 2, 3)
    ]


def test_who_misses_less_than_it_may_is_compared_as_if_it_missed_as_much() -> None:
    ours = trials("ours", HOME, (0.1, 0.02, 100.0), (0.3, 0.005, 200.0))
    theirs = trials("theirs", HOME, (0.1, 0.02, 120.0), (0.2, 0.008, 120.0 * 2.5**0.5))
    ledger = a_ledger([*ours, *theirs], places=(a_place(),))
    one, other = (standing(ledger, HOME, name, 0.99) for name in ("ours", "theirs"))
    found = relative(one, other, BILLED)
    assert found is not None
    assert found.mean == pytest.approx(100 / 120 - 1)


def test_a_slope_too_short_to_see_is_read_where_the_settings_were_searched() -> None:
    here = trials("ours", HOME, (0.3, 0.0095, 200.0))
    there = trials("ours", ELSEWHERE, (0.1, 0.02, 10.0), (0.3, 0.005, 20.0))
    searched = replace(a_place(), searched_on=ELSEWHERE)
    ledger = a_ledger([*here, *there], places=(searched,))
    found = slope_at(ledger, HOME, "ours", 0.99)
    assert found is not None
    assert found.value == pytest.approx(-0.5)
    alone = a_ledger(here, places=(a_place(),))
    assert slope_at(alone, HOME, "ours", 0.99) is None


@pytest.mark.parametrize(("missed", "reached"), [(0.0108, True), (0.0112, False)])
def test_a_miss_by_a_tenth_is_adjusted_to_the_level_and_one_by_more_is_a_miss(
    missed: float, reached: bool
) -> None:
    ledger = a_ledger(
        trials("ours", HOME, (0.1, 0.02, 100.0), (0.3, missed, 150.0)), places=(a_place(),)
    )
    found = standing(ledger, HOME, "ours", 0.99)
    assert found is not None
    assert found.reached is reached
    assert (found.slope is not None) is reached


def test_a_near_miss_without_a_known_slope_is_a_miss() -> None:
    ledger = a_ledger(trials("ours", HOME, (0.3, 0.0105, 150.0)), places=(a_place(),))
    found = standing(ledger, HOME, "ours", 0.99)
    assert found is not None
    assert not found.reached
