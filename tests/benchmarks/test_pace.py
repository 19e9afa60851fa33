"""How fast the machine was is told as a share of its best."""

from __future__ import annotations

import pytest

from benchmarks.pace import Pace, pace_of


def test_who_takes_twice_as_long_is_at_half_its_best() -> None:
    assert pace_of([2.0, 2.0], best=1.0) == pytest.approx(0.5)
    assert pace_of([1.0], best=1.0) == pytest.approx(1.0)


def test_the_loop_runs_beside_whatever_is_measured() -> None:
    with Pace() as pace:
        pass
    assert pace.samples
    assert min(pace.samples) > 0
