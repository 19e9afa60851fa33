"""The page of figures says what was measured, what was asked, and by which command."""

from __future__ import annotations

from dataclasses import asdict

from benchmarks.figure import Figure
from benchmarks.figures_page import page


def _kept(*figures: Figure) -> dict[str, object]:
    return {
        "machine": "two cores",
        "best_loop_seconds": 0.16,
        "figures": {
            one.name: asdict(one) | {"met": one.met, "loop_seconds": 0.25} for one in figures
        },
    }


def _figure(name: str, value: float, target: float | None, command: str) -> Figure:
    return Figure(
        name=name, value=value, unit="ms", command=command, cpu_seconds=1.0, target=target
    )


def test_each_figure_stands_under_the_command_that_prints_it() -> None:
    text = page(
        _kept(
            _figure("late", 12_345.6, 10, "make bench ARGS=b"),
            _figure("early", 0.12345, 1, "make bench ARGS=a"),
            _figure("free", 7, None, "make bench ARGS=b"),
        )
    )
    assert "two cores" in text
    first, second = text.split("## `make bench ARGS=a`")[1].split("## `make bench ARGS=b`")
    assert "| early | 0.1235 ms | ≤ 1 | met | 64% |" in first
    assert "| late | 12,346 ms | ≤ 10 | **missed** | 64% |" in second
    assert "| free | 7 ms |  |  | 64% |" in second
