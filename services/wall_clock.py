"""The clock of long-running processes: the wall clock, with backward steps logged."""

from __future__ import annotations

import logging
from datetime import datetime

from heliostat.clock import SystemClock
from services.log_events import say

_log = logging.getLogger(__name__)


def wall_clock() -> SystemClock:
    """One clock for a whole process."""
    return SystemClock(set_back=_say)


def _say(before: datetime, now: datetime) -> None:
    say(
        _log,
        "clock_set_back",
        level=logging.WARNING,
        seconds=int((before - now).total_seconds()),
        before=before.isoformat(),
        now=now.isoformat(),
    )
