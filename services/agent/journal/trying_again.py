"""Decides which refused usage batches are sent again, and when, from the text stored with each.

A control plane's clock may have jumped, or its catalogue may come later than its agents': what it refuses
for an instant goes once more, what it refuses for a name goes again and again, at ages that double.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Self

RETRY_AFTER = timedelta(hours=1)
"""What was refused for its instants goes so long after its newest window."""
FIRST_TRY = timedelta(minutes=10)
"""What was refused for a name goes so long after its newest window, then at twice that age, and so on."""
MOST_TRIES = 10
"""The last try is made at an age of three and a half days."""
WAITING = "problem LIKE 'clock: %' OR problem LIKE 'names %'"
"""The rows of batches that will go again, in SQL."""
_FORM = re.compile(
    r"(?:sent again as (?P<row>\d+): )?(?:(?P<again>clock|names)(?: (?P<tries>\d+))?: )?(?P<words>.*)",
    re.DOTALL,
)


class Again(StrEnum):
    """Why a refused batch may be taken later."""

    NEVER = ""
    CLOCKS = "clock"
    NAMES = "names"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a batch was refused, and what became of it; `row` is the one under which it went again."""

    words: str
    again: Again = Again.NEVER
    tries: int = 0
    row: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `str` made of it, also by agents that knew of clocks alone."""
        found = _FORM.fullmatch(text)
        assert found is not None  # the last group takes everything
        return cls(
            words=found["words"],
            again=Again(found["again"] or ""),
            tries=int(found["tries"] or 0),
            row=int(found["row"]) if found["row"] else None,
        )

    def __str__(self) -> str:
        sent = "" if self.row is None else f"sent again as {self.row}: "
        tries = f" {self.tries}" if self.again is Again.NAMES else ""
        return sent + (f"{self.again}{tries}: " if self.again else "") + self.words

    @property
    def ripe_at(self) -> timedelta:
        """How old the batch's newest window is when it goes again."""
        return FIRST_TRY * (1 << self.tries) if self.again is Again.NAMES else RETRY_AFTER

    def after(self, before: Problem | None) -> Problem:
        """This refusal of a batch that went again after that one; None = it is its first."""
        if before is None or before.again is not self.again:
            return self
        tries = before.tries + 1
        if self.again is Again.NAMES and tries < MOST_TRIES:
            return replace(self, tries=tries)
        return replace(self, again=Again.NEVER)
