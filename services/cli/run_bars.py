"""Shows how an experiment goes on: a bar for the whole and one for each run that is under way.

Where stderr is no terminal, one line for each run that is finished.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from heliostat.clock import monotonic_seconds
from services.cli.figures import count, percent, rate
from services.cli.output import stderr
from simulation.experiments.ceilings import LP_GPU_HOURS
from simulation.experiments.result import BILLED, JUDGED, Outcome, RunFailure
from simulation.experiments.simulate import Mark
from simulation.experiments.spec import RunSpec

_ENOUGH = 0.1
"""Share of a run that must be done before the remaining time is estimated."""


def in_words(seconds: float) -> str:
    """`about 40 s`, `about 3 min`, `about 1.5 h`."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = seconds / 60
    return f"about {round(minutes)} min" if minutes < 90 else f"about {minutes / 60:.1f} h"


class RunBars:
    """A `Watcher` for people; used inside `run_bars`."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._lines = not bars.console.is_terminal
        self._whole = bars.add_task("runs", total=0, done="")
        self._running: dict[RunSpec, TaskID] = {}
        self._marks: dict[RunSpec, Mark] = {}
        self._asked = self._done = self._ran = 0
        self._served = 0
        self._began: float | None = None
        """When the first simulation began: what is imported and compiled before is no measure."""

    def asked(self, runs: int) -> None:
        """So many more runs are needed."""
        self._asked += runs
        self._show_whole()

    def marked(self, spec: RunSpec, mark: Mark) -> None:
        """A run has come that far."""
        if spec not in self._running:
            self._running[spec] = self._bars.add_task(escape(str(spec)), total=1.0, done="")
        self._marks[spec] = mark
        self._begun()
        self._bars.update(
            self._running[spec], completed=mark.share, done=f"{mark.at:%Y-%m-%d %H:%M}"
        )
        self._show_whole()

    def done(self, spec: RunSpec, outcome: Outcome, *, found: bool) -> None:
        """A run is finished, or lay in the folder."""
        self._done += 1
        self._marks.pop(spec, None)
        if spec in self._running:
            self._bars.remove_task(self._running.pop(spec))
        if not found:
            self._begun()
            self._ran += 1
            self._served += 0 if isinstance(outcome, RunFailure) else outcome.requests
        if self._lines:
            where = "found" if found else f"{outcome.cpu_seconds:.1f} CPU s"
            self._bars.console.print(
                escape(
                    f"[{self._done}/{self._asked}] {spec}: {_told(outcome)} ({where}){self._left()}"
                )
            )
        self._show_whole()

    def _begun(self) -> None:
        if self._began is None:
            self._began = monotonic_seconds()

    def _passed(self) -> float:
        return 0.0 if self._began is None else monotonic_seconds() - self._began

    def _left(self) -> str:
        """About how long the runs that are known of still take; nothing before the first tenth of one."""
        parts = sum(mark.share for mark in self._marks.values())
        had, left = self._ran + parts, self._asked - self._done - parts
        if had < _ENOUGH or left <= 0:
            return ""
        return f", {in_words(self._passed() * left / had)} left"

    def _show_whole(self) -> None:
        passed = self._passed()
        served = self._served + sum(mark.requests for mark in self._marks.values())
        speed = f"{rate(served / passed)} requests/s" if passed > 0 and served else ""
        self._bars.update(
            self._whole, total=self._asked, completed=self._done,
            done=f"{self._done}/{self._asked}  {speed}{self._left()}",
        )  # fmt: skip


@contextmanager
def run_bars() -> Iterator[RunBars]:
    """Bars on stderr, gone afterwards."""
    console = stderr()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[done]}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        yield RunBars(bars)


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, RunFailure):
        return f"failed at {outcome.at}: {outcome.error}"
    figures = outcome.figures
    if LP_GPU_HOURS in figures:
        return f"{count(figures[LP_GPU_HOURS])} GPU-hours at least"
    return f"{percent(figures.get(JUDGED))} within SLO, {count(figures.get(BILLED))} GPU-hours"
