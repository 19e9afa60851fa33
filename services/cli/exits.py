"""Exit codes: one per error family, after BSD's sysexits, so that scripts can tell what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat import errors
from heliostat.errors import HeliostatError

OK = 0
UNEXPECTED = 1
USAGE = 2
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class ExitRule:
    """The code of a family of errors and what it asks of the caller."""

    error: type[HeliostatError]
    code: int
    meaning: str


RULES = (
    ExitRule(errors.InvalidSettings, 78, "a setting or the catalogue is wrong"),
    ExitRule(errors.InvalidCatalogue, 78, "a setting or the catalogue is wrong"),
    ExitRule(errors.InvalidInput, 65, "the input is wrong: mend it, do not retry"),
    ExitRule(errors.NotFound, 66, "what was named does not exist"),
    ExitRule(errors.Unsupported, 68, "whoever listens there does not serve this call"),
    ExitRule(errors.Unavailable, 69, "nobody answers: retry later"),
    ExitRule(errors.Precondition, 71, "the system is not in a state for this"),
    ExitRule(errors.Conflict, 72, "somebody else was first: read again"),
    ExitRule(errors.AlreadyExists, 73, "the name is taken by something different"),
    ExitRule(errors.DataLoss, 74, "something written cannot be read back"),
    ExitRule(errors.Exhausted, 75, "a limit was reached: retry later or with less"),
    ExitRule(errors.Unauthenticated, 76, "the certificate is missing or not known"),
    ExitRule(errors.Forbidden, 77, "the role may not do this"),
)
"""The first rule that fits counts."""


def exit_code(error: HeliostatError) -> int:
    """The code that ends the process after this error."""
    return next((rule.code for rule in RULES if isinstance(error, rule.error)), UNEXPECTED)


def epilogue() -> str:
    """The codes for `heliostat --help`, one paragraph; docs/cli.md has the table."""
    rows = [(OK, "done"), (UNEXPECTED, "a fault of ours"), (USAGE, "wrong use of the command line")]
    rows += dict.fromkeys((rule.code, rule.meaning) for rule in RULES)
    rows.append((INTERRUPTED, "interrupted"))
    return "Exit codes: " + "; ".join(f"[bold]{code}[/] {meaning}" for code, meaning in rows) + "."
