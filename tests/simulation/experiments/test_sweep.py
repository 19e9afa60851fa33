"""Which headroom is tried next, and which one is chosen."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from simulation.experiments.sweep import Seen, Sweep, cheapest, nearest_miss, next_headroom

SWEEP = Sweep(grid=(0.0, 0.5, 1.0), refinements=5, closest=0.02, alike=0.001, highest=4.0)


def at(headroom: float, attainment: float | None, cost: float | None = None) -> Seen:
    spent = 100 * (1 + headroom) if cost is None else cost
    return Seen(
        headroom=headroom, attainment=attainment, cost=None if attainment is None else spent
    )


def swept(curve: Callable[[float], float | None], target: float = 0.99) -> list[Seen]:
    seen: list[Seen] = []
    while (headroom := next_headroom(seen, target, SWEEP)) is not None:
        seen.append(at(headroom, curve(headroom)))
    return seen


def test_the_grid_comes_first() -> None:
    seen = swept(lambda h: 1.0)
    assert [one.headroom for one in seen] == [0.0, 0.5, 1.0]


def test_halving_closes_in_on_the_least_headroom_that_reaches() -> None:
    seen = swept(lambda h: 0.9 + 0.2 * h)
    chosen = cheapest(seen, 0.99)
    assert chosen is not None
    assert chosen.headroom == pytest.approx(0.45, abs=0.05)
    assert chosen.headroom >= 0.45


@given(st.floats(0, 1), st.floats(0.01, 3))
def test_with_a_rising_curve_the_choice_is_near_the_crossing(offset: float, slope: float) -> None:
    seen = swept(lambda h: min(1.0, 0.99 - 0.3 * offset + slope * h))
    chosen = cheapest(seen, 0.99)
    crossing = 0.3 * offset / slope
    if crossing <= 4.0 and chosen is not None:
        assert crossing - 1e-9 <= chosen.headroom
        lower = [one.headroom for one in seen if one.headroom < chosen.headroom]
        assert not lower or max(lower) < crossing + 1e-9


def test_above_the_grid_headroom_is_doubled_until_the_highest() -> None:
    seen = swept(lambda h: 0.5)
    assert [one.headroom for one in seen] == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert cheapest(seen, 0.99) is None


def test_a_policy_for_which_more_headroom_changes_nothing_is_not_asked_for_more() -> None:
    seen = [at(0.0, 0.9, cost=90.0), at(0.5, 0.98, cost=100.0), at(1.0, 0.98, cost=100.0)]
    assert next_headroom(seen, 0.99, SWEEP) is None


def test_where_none_reaches_the_nearest_miss_is_the_best_attainment_then_the_cheapest() -> None:
    seen = [at(0.0, 0.90), at(0.5, 0.95), at(1.0, 0.95), at(2.0, None)]
    best = nearest_miss(seen)
    assert best is not None
    assert best.headroom == 0.5


def test_a_curve_that_falls_again_is_kept_and_the_cheapest_that_reaches_is_chosen() -> None:
    curve = {0.0: 0.98, 0.5: 0.995, 1.0: 0.985}
    seen = swept(lambda h: curve.get(h, 0.98))
    assert {one.headroom for one in seen} > set(curve)
    chosen = cheapest(seen, 0.99)
    assert chosen is not None
    assert chosen.headroom == 0.5


def test_settings_that_cost_the_same_are_not_told_apart_by_more_runs() -> None:
    seen = [at(0.0, 0.98, cost=100.0), at(0.5, 0.995, cost=100.05), at(1.0, 1.0, cost=150.0)]
    assert next_headroom(seen, 0.99, SWEEP) is None


def test_a_policy_that_fails_everywhere_is_not_swept_further() -> None:
    seen = swept(lambda h: None)
    assert [one.headroom for one in seen] == [0.0, 0.5, 1.0]
    assert nearest_miss(seen) is None


def test_a_failed_setting_is_passed_over() -> None:
    seen = swept(lambda h: None if h == 0.5 else 0.98 + 0.02 * h)
    chosen = cheapest(seen, 0.99)
    assert chosen is not None
    assert chosen.headroom > 0.5


@pytest.mark.parametrize("grid", [(0.5, 0.1), (0.1, 0.1), (-1.0, 0.2), (float("nan"),)])
def test_a_grid_that_makes_no_sense_is_refused(grid: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match="headroom"):
        Sweep(grid=grid)
