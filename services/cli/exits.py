"""Exit codes, one per error family, after BSD's sysexits."""

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
    """The code of an error family and its meaning."""

    error: type[HeliostatError]
    code: int
    meaning: str


RULES = (
    ExitRule(errors.InvalidSettings, 78, "a setting or the catalogue is wrong"),
    ExitRule(errors.InvalidCatalogue, 78, "a setting or the catalogue is wrong"),
    ExitRule(errors.InvalidInput, 65, "the input is wrong: fix it, do not retry"),
    ExitRule(errors.NotFound, 66, "what was named does not exist"),
    ExitRule(errors.Unsupported, 68, "the server does not provide this call"),
    ExitRule(errors.Unavailable, 69, "no answer: retry later"),
    ExitRule(errors.Precondition, 71, "the system's state does not allow this"),
    ExitRule(errors.Conflict, 72, "changed by another caller: read again"),
    ExitRule(errors.AlreadyExists, 73, "the name is already in use"),
    ExitRule(errors.DataLoss, 74, "stored data cannot be read back"),
    ExitRule(errors.Exhausted, 75, "a limit was reached: retry later or with less"),
    ExitRule(errors.Unauthenticated, 76, "the certificate carries no Heliostat identity"),
    ExitRule(errors.Forbidden, 77, "the role may not do this"),
)
"""The first matching rule applies."""


def exit_code(error: HeliostatError) -> int:
    """The exit code for this error."""
    return next((rule.code for rule in RULES if isinstance(error, rule.error)), UNEXPECTED)


def epilogue() -> str:
    """The codes for `heliostat --help`, one paragraph; docs/cli.md has the table."""
    rows = [(OK, "done"), (UNEXPECTED, "internal error"), (USAGE, "wrong use of the command line")]
    rows += dict.fromkeys((rule.code, rule.meaning) for rule in RULES)
    rows.append((INTERRUPTED, "interrupted"))
    return "Exit codes: " + "; ".join(f"[bold]{code}[/] {meaning}" for code, meaning in rows) + "."
