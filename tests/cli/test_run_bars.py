"""How long is left is told from what was simulated so far, whole runs and parts of runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from services.cli import run_bars
from services.cli.run_bars import RunBars, in_words
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import SceneRef
from tests.builders import NOON
from tests.simulation.experiments.little import a_result, a_spec

SCENE = SceneRef(name="little", digest="d")


class Bars:
    """Bars of a file, where each finished run is a line, and a clock that stands until it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.written = io.StringIO()
        monkeypatch.setattr(run_bars, "monotonic_seconds", lambda: self.now)
        self.bars = RunBars(Progress(console=Console(file=self.written, width=200), disable=True))

    def last(self) -> str:
        return self.written.getvalue().splitlines()[-1]


def test_what_is_left_follows_from_whole_runs_and_parts_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Bars(monkeypatch)
    seen.bars.asked(4)
    seen.now += 50  # imports and compiling are no measure
    first, second = a_spec(SCENE), a_spec(SCENE, seed=2)
    for spec, share in ((first, 0.0), (second, 0.0), (second, 0.5)):
        seen.bars.marked(spec, Mark(share=share, at=NOON, requests=10))
    seen.now += 30
    seen.bars.done(first, a_result(), found=False)
    # 1.5 runs in 30 s, 2.5 to go.
    assert seen.last().endswith("CPU s), about 50 s left")


def test_runs_that_lay_in_the_folder_are_no_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Bars(monkeypatch)
    seen.bars.asked(3)
    seen.bars.done(a_spec(SCENE), a_result(), found=True)
    assert seen.last().endswith("(found)")


def test_nothing_is_left_of_the_last_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Bars(monkeypatch)
    seen.bars.asked(1)
    seen.bars.marked(a_spec(SCENE), Mark(share=0.9, at=NOON, requests=10))
    seen.now += 9
    seen.bars.done(a_spec(SCENE), a_result(), found=False)
    assert seen.last().endswith("CPU s)")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 1 s"), (40, "about 40 s"), (200, "about 3 min"), (5400, "about 1.5 h")],
)
def test_times_are_told_roughly(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
