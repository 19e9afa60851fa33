"""The clock as a port: the only way in which time enters a decision."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; asked once per call, the answer is passed on as `now`."""

    def now(self) -> datetime:
        """The present as aware UTC in whole seconds; never earlier than an answer before, unless the wall
        clock itself was set back by more than it is slewed."""
        ...
