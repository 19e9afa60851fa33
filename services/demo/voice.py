"""The demo's terminal output: one line per event, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from heliostat.model.command import Command, CommandState, RedeployOrder, ScaleOrder
from heliostat.model.counting import replicas_in_words
from heliostat.model.plan import CapacityPlan
from services.demo.figures import Figures
from services.demo.summary import summary


class Voice:
    """Speaks to one console; bars move, sentences stay."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            refresh_per_second=4,
            disable=not self._console.is_terminal,  # drawn in vain it costs a core a second a minute
        )
        self._bar = self._bars.add_task("starting", total=None, note="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, sentence: str) -> None:
        """A sentence that stays."""
        self._console.print(escape(sentence), soft_wrap=False)

    def stage(self, name: str, steps: int) -> Callable[[int, str], None]:
        """A bar for a stage; call what comes back with the steps done so far and a note."""
        self._bars.reset(self._bar, total=steps, description=name, note="")

        def move(done: int, note: str = "") -> None:
            self._bars.update(self._bar, completed=done, note=note)

        return move

    def input(self, said: Sequence[str]) -> None:
        """What was done to the demand."""
        self._console.print("[bold]Demand[/]")
        for sentence in said:
            self._console.print(f"  · {escape(sentence)}")

    def plan(self, plan: CapacityPlan, commands: Sequence[Command]) -> None:
        """One line on a plan that changed something."""
        if not commands:
            return
        wanted = sum(target.replicas for target in plan.targets)
        first = commands[0]
        more = f" (and {len(commands) - 1} more)" if len(commands) > 1 else ""
        self._line(
            plan.created_at,
            f"plan {plan.version}: {replicas_in_words(wanted)}. "
            f"{what_is_ordered(first)}{more}: {first.reason}",
        )

    def ended(self, command: Command, at: datetime) -> None:
        """One line on an order that did not end well; those that did are counted."""
        if command.state in (CommandState.REFUSED, CommandState.EXPIRED):
            why = f"{command.refusal}: " if command.refusal else ""
            self._line(
                at, f"{command.state}: {what_is_ordered(command)}, {why}{command.outcome}", "yellow"
            )

    def result(self, figures: Figures) -> None:
        """The table at the end, readable at 80 columns."""
        self._console.print(summary(figures))

    def _line(self, at: datetime, text: str, style: str = "") -> None:
        line = f"[dim]{at:%H:%M}[/] {escape(text)}"
        self._console.print(line, style=style, no_wrap=True, overflow="ellipsis")


def what_is_ordered(command: Command) -> str:
    """An order in a few words."""
    match command.order:
        case ScaleOrder(pool=pool, target_replicas=target):
            return f"{pool} to {target}"
        case RedeployOrder(source=source, destination=destination):
            return f"{source} gives VMs to {destination.model}"
