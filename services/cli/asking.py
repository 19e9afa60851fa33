"""Options and checks that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName, RegionName, Tier

Regions = Annotated[list[str] | None, typer.Option("--region", help="Region; may repeat.")]
Models = Annotated[list[str] | None, typer.Option("--model", help="Model; may repeat.")]
Tiers = Annotated[
    list[Tier] | None,
    typer.Option("--tier", metavar="<tier>", help=f"{', '.join(Tier)}; may repeat."),
]
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of rows.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the change.")]
Etag = Annotated[str, typer.Option(help="The etag as read; fails if it has changed since.")]

SkipBad = Annotated[
    bool,
    typer.Option("--skip-bad-rows", help="Skip and count bad rows instead of refusing the file."),
]

Catalogue = Annotated[
    Path, typer.Option("--catalogue", envvar="HELIOSTAT_CATALOGUE", help="The fleet catalogue.")
]
DEFAULT_CATALOGUE = Path("deploy/catalogue.yaml")
Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="HELIOSTAT_DATABASE",
        help="SQLAlchemy URL: sqlite:///file or postgresql+psycopg://user@host/name.",
    ),
]
DEFAULT_DATABASE = "sqlite:///heliostat.db"

MOST_REPLICAS = 2**31 - 1
"""The limit of the wire format; catalogue limits are far lower."""

T = TypeVar("T")


def region_names(given: Sequence[str] | None) -> frozenset[RegionName]:
    """Regions as the model wants them."""
    return frozenset(RegionName(name) for name in given or ())


def model_names(given: Sequence[str] | None) -> frozenset[ModelName]:
    """Models as the model wants them."""
    return frozenset(ModelName(name) for name in given or ())


def parsed(option: str, text: str, parse: Callable[[str], T]) -> T:
    """An option's text, parsed; errors name the option. Raises InvalidInput."""
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidInput(option, str(error)) from None


def replicas(option: str, text: str) -> tuple[str, int]:
    """`name=count`. Raises InvalidInput."""
    name, _, number = text.rpartition("=")
    if not name or not (number.isascii() and number.isdigit()):
        raise InvalidInput(option, f"{text!r} is not <pool>=<replicas>")
    if len(number) > len(str(MOST_REPLICAS)) or int(number) > MOST_REPLICAS:
        raise InvalidInput(option, f"{text!r} is more than any pool can hold")
    return name, int(number)


def confirm(question: str, *, yes: bool) -> None:
    """Return after a yes, given with --yes or typed at the prompt on stderr. Raises InvalidInput after a
    no, and where there is no answer, as in a script."""
    if yes:
        return
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        raise InvalidInput(
            "--yes",
            "nothing was changed: there was no answer",
            remedy="give --yes to skip the question",
        ) from None
    if not agreed:
        raise InvalidInput("--yes", "nothing was changed")


def given(**options: Any) -> dict[str, Any]:
    """The options given; the others come from the environment, the file or defaults."""
    return {name: value for name, value in options.items() if value not in (None, "", ())}
