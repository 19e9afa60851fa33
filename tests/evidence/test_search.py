"""Few runs find the cheapest setting that reaches a level."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evidence.search import (
    Search,
    corrected,
    headroom_at,
    near_enough,
    next_headroom,
    setting_for,
)
from simulation.experiments.sweep import Seen

GRID = (0.05, 0.11, 0.18, 0.25, 0.43, 0.67, 1.0)
SEARCH = Search(grid=GRID)


def kept(headroom: float, *, steep: float = 6.0, least: float = 0.1) -> float:
    return 1 - least * math.exp(-steep * headroom)


def a_setting(headroom: float, law: Callable[[float], float] = kept) -> Seen:
    return Seen(headroom=headroom, attainment=law(headroom), cost=100 * (1 + headroom))


def searched(level: float, law: Callable[[float], float] = kept) -> list[Seen]:
    seen: list[Seen] = []
    while (headroom := next_headroom(seen, level, SEARCH)) is not None:
        assert headroom not in {one.headroom for one in seen}
        seen.append(a_setting(headroom, law))
        assert len(seen) < 20
    return seen


def test_the_middle_of_the_grid_comes_first() -> None:
    assert next_headroom([], 0.99, SEARCH) == 0.25


def test_a_level_within_the_grid_is_found_within_six_runs_and_hardly_exceeded() -> None:
    seen = searched(0.99)
    assert len(seen) <= 6
    best = next(one for one in seen if one.headroom == setting_for(seen, 0.99))
    assert near_enough(best, 0.99, SEARCH)


@given(steep=st.floats(1.0, 30.0), level=st.floats(0.92, 0.998))
def test_whatever_is_reached_within_the_grid_is_found(steep: float, level: float) -> None:
    seen = searched(level, lambda headroom: kept(headroom, steep=steep))
    reachable = kept(4 * GRID[-1], steep=steep) >= level
    found = setting_for(seen, level)
    assert found is not None
    assert (kept(found, steep=steep) >= level) == reachable


def test_above_the_grid_it_doubles_a_few_times_and_then_gives_up() -> None:
    seen = searched(0.99, lambda headroom: 0.5 + 0.01 * headroom)
    assert max(one.headroom for one in seen) == 4.0
    assert setting_for(seen, 0.99) == 4.0


def test_a_policy_that_no_headroom_changes_is_left_alone() -> None:
    flat = [Seen(headroom=h, attainment=0.9, cost=100.0) for h in (0.67, 1.0)]
    assert next_headroom(flat, 0.99, SEARCH) is None


def test_below_the_grid_the_way_to_the_least_is_halved_a_few_times() -> None:
    """A rival that keeps too much with the least of its grid is not yet at its best."""
    seen = searched(0.5)
    assert setting_for(seen, 0.5) == min(one.headroom for one in seen) == GRID[0] / 4
    assert len(seen) <= 6


def test_what_covers_peaks_may_hold_less_than_it_believes_to_be_needed() -> None:
    law = lambda headroom: kept(headroom, least=0.002)  # noqa: E731 - a law in one line
    search = Search(grid=(0.0, 0.2, 0.6), least=-0.6)
    seen: list[Seen] = []
    while (headroom := next_headroom(seen, 0.99, search)) is not None:
        seen.append(a_setting(headroom, law))
    best = next(one for one in seen if one.headroom == setting_for(seen, 0.99))
    assert -0.6 < best.headroom < 0
    assert near_enough(best, 0.99, search)


def test_no_setting_is_below_the_least() -> None:
    curve = [a_setting(0.2), a_setting(0.6)]
    assert headroom_at(curve, 1e-9) == 0.0
    assert headroom_at(curve, 1e-9, least=-0.1) == -0.1


def test_a_setting_at_which_the_policy_failed_ends_the_search() -> None:
    assert next_headroom([Seen(headroom=0.25, attainment=None, cost=None)], 0.99, SEARCH) is None


def test_between_two_settings_misses_fall_like_a_power() -> None:
    curve = [a_setting(0.2), a_setting(0.6)]
    assert headroom_at(curve, kept(0.4)) == pytest.approx(0.4)
    assert headroom_at(curve, kept(0.8)) == pytest.approx(0.8)
    assert headroom_at(curve, kept(0.1)) == pytest.approx(0.1)


def test_a_mean_that_misses_where_the_first_seed_reached_is_moved_up() -> None:
    curve = [a_setting(h) for h in (0.25, 0.43, 0.67)]
    unlucky = Seen(headroom=0.43, attainment=1 - 2 * (1 - kept(0.43)), cost=143.0)
    level = kept(0.43)
    found = corrected(curve, unlucky, level, SEARCH)
    assert found is not None
    # Twice as much missed everywhere: ln 2 / 6 more headroom makes up for it.
    assert found == pytest.approx(0.43 + math.log(2) / 6, abs=0.02)
    assert 1 - 2 * (1 - kept(found)) >= level


def test_a_mean_that_is_near_enough_is_left_alone() -> None:
    curve = [a_setting(h) for h in (0.25, 0.43)]
    assert corrected(curve, a_setting(0.43), kept(0.43), SEARCH) is None


def test_a_level_that_was_never_within_reach_is_not_chased() -> None:
    curve = [a_setting(h) for h in (0.25, 0.43)]
    assert corrected(curve, a_setting(0.43), 0.9999, SEARCH) is None


def test_the_curve_of_another_place_tells_how_far_to_move_between_its_settings() -> None:
    curve = [a_setting(h) for h in (0.2, 0.4, 0.8)]
    here = Seen(headroom=0.5, attainment=1 - 3 * (1 - kept(0.5)), cost=150.0)
    found = corrected(curve, here, kept(0.5), SEARCH)
    assert found == pytest.approx(0.5 + math.log(3) / 6, abs=0.02)
