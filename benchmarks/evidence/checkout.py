"""Which code makes the runs: its fingerprint, its commit, and whether it stayed what it was meanwhile."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from heliostat.errors import InvalidInput
from simulation.experiments.fingerprint import ROOMS, code_fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """`commit` is "" where nobody can tell; "+" behind it = with changes that are not committed."""

    code: str
    commit: str

    @classmethod
    def now(cls) -> Self:
        """As it stands."""
        code_fingerprint.cache_clear()
        return cls(code=code_fingerprint(), commit=commit_of(ROOMS))

    def check(self) -> None:
        """Raises InvalidInput when the code is another by now: runs of two codes must not meet."""
        code_fingerprint.cache_clear()
        if code_fingerprint() != self.code:
            raise InvalidInput(
                "code",
                f"changed while it ran (it was {self.code})",
                remedy="run the page in a separate checkout; finished runs are kept",
            )


def commit_of(folders: Iterable[str]) -> str:
    """The commit checked out; "" where nobody can tell, "+" behind it = these folders were changed since."""
    commit = _git("rev-parse", "--short=10", "HEAD")
    return f"{commit}+" if commit and _git("status", "--porcelain", "--", *folders) else commit


def _git(*words: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    told = subprocess.run([git, *words], capture_output=True, text=True, check=False)
    return told.stdout.strip()
