"""Runs the command line inside the test's process, as an operator's shell would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer
from typer.testing import CliRunner

from services.cli.main import app


@dataclass(frozen=True)
class Ran:
    """What came of it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def heliostat(*arguments: object, typed: str = "", **environment: str) -> Ran:
    """`heliostat <arguments>` at 80 columns; `typed` is all that stands on stdin."""
    result = CliRunner().invoke(
        app,
        [str(argument) for argument in arguments],
        input=typed,
        env={"COLUMNS": "80", "TERM": "dumb", "HELIOSTAT_DEBUG": "", **environment},
        prog_name="heliostat",
    )
    return Ran(code=result.exit_code, out=result.stdout, err=result.stderr)


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the tree, as it is typed."""
    group = group or typer.main.get_command(app)
    for name, command in sorted(group.commands.items()):
        yield (*path, name)
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
