"""The page of figures says what was measured, what was asked, and by which command."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

import pytest

from benchmarks.__main__ import MEASURED, keep
from benchmarks.evidence.checkout import commit_of
from benchmarks.figure import Figure
from benchmarks.figures_page import page


def _kept(*figures: Figure) -> dict[str, object]:
    return {
        "machine": "two cores",
        "best_loop_seconds": 0.16,
        "figures": {
            one.name: asdict(one)
            | {"met": one.met, "loop_seconds": 0.25, "measured": "2026-11-22", "commit": "abc+"}
            for one in figures
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
    assert first.strip().startswith("Measured on 2026-11-22 at commit `abc+`.")
    assert "| early | 0.1235 ms | ≤ 1 | met | 64% |" in first
    assert "| late | 12,346 ms | ≤ 10 | **missed** | 64% |" in second
    assert "| free | 7 ms |  |  | 64% |" in second


def test_figures_of_several_days_and_of_none_say_so() -> None:
    kept = _kept(*(_figure(name, 1, None, "make bench ARGS=a") for name in ("old", "new", "lost")))
    figures = kept["figures"]
    assert isinstance(figures, dict)
    figures["lost"]["commit"] = ""
    del figures["old"]["measured"]
    text = page(kept)
    assert "Day and commit were not recorded. Measured on 2026-11-22 at an unknown commit. " in text


def test_the_report_keeps_day_and_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.__main__.REPORT", tmp_path / "bench.json")
    keep([_figure("one", 1, None, "make bench ARGS=a")], [0.2])
    (figure,) = json.loads((tmp_path / "bench.json").read_text())["figures"].values()
    assert date.fromisoformat(figure["measured"]).year > 2000
    assert figure["commit"] == commit_of(MEASURED)
