"""A command's output: answers on stdout (tables, or only JSON), everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from heliostat.errors import InvalidInput
from services.cli.values import plain
from storage.whole_files import write_whole


def stdout() -> Console:
    """Where answers go; as wide as the terminal, or as COLUMNS says."""
    return Console(file=sys.stdout, highlight=False)


def stderr() -> Console:
    """Where everything else goes."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Output:
    """One command's voice. With `as_json` its answer is one JSON document (or one per line of a watch)."""

    as_json: bool = False

    def json(self, value: Any, *, lines: bool = False) -> None:
        """Write a value as JSON: indented, or on one line where many follow."""
        text = json.dumps(plain(value), indent=None if lines else 2, ensure_ascii=False)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def json_to(self, path: Path, value: Any) -> None:
        """Write a value as JSON into a file; - is stdout. Raises InvalidInput."""
        if str(path) == "-":
            self.json(value)
            return
        self.text_to("--json", path, json.dumps(plain(value), indent=2) + "\n")

    def text_to(self, option: str, path: Path, text: str) -> None:
        """Write a text into the file that an option names. Raises InvalidInput."""
        try:
            write_whole(path, text)
        except OSError as error:
            raise InvalidInput(option, f"{path} cannot be written: {error.strerror}") from error

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        empty: str,
    ) -> None:
        """Show rows, or the sentence `empty`.

        A column whose name ends in `>` is set to the right, in `!` is never broken over lines.
        """
        if not rows:
            self.say(empty)
            return
        # Pads of one blank leave room for pool names at 80 columns.
        table = Table(
            title=escape(title) if title else None,
            title_justify="left",
            box=box.Box("    \n    \n ── \n    \n    \n    \n    \n    \n"),
            pad_edge=False,
            padding=(0, 1),
            collapse_padding=True,
            show_edge=False,
        )
        for column in columns:
            table.add_column(
                column.rstrip("!>"),
                justify="right" if column.endswith(">") else "left",
                overflow="fold",
                no_wrap=column.endswith(("!", ">")),
            )
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        stdout().print(table, "")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Show names and values, one a line."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in facts.items():
            grid.add_row(f"[bold]{escape(name)}[/]", escape(value))
        stdout().print(grid)

    def say(self, sentence: str) -> None:
        """A sentence of the answer; nothing in JSON."""
        if not self.as_json:
            stdout().print(escape(sentence))

    def note(self, sentence: str) -> None:
        """A sentence beside the answer."""
        stderr().print(escape(sentence))


@contextmanager
def progress(what: str, total: float | None = None) -> Iterator[Progress]:
    """A bar on stderr while something takes long; gone afterwards, silent where stderr is no terminal.

    The one task in it is number 0.
    """
    console = stderr()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]}"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        bar.add_task(what, total=total, done="")
        yield bar
