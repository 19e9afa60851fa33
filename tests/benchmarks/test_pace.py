"""How fast the machine was is told as a share of its best."""

from __future__ import annotations

from benchmarks.pace import Pace


def test_the_loop_runs_beside_whatever_is_measured() -> None:
    with Pace() as pace:
        pass
    assert pace.samples
    assert min(pace.samples) > 0
