"""What the page remembers between two looks, so that each look reads only what is new.

Bucket values are kept by the start of their bucket; buckets of late are read again, since usage is
revised, older ones stand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from heliostat.model.command import Command, CommandState
from heliostat.model.demand import BUCKET
from heliostat.model.fleet import Fleet
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import PoolKey, SeriesKey
from heliostat.model.plan import CapacityPlan
from heliostat.ports.decisions import CommandOutbox
from heliostat.ports.forecasts import ForecastLedger
from heliostat.ports.history import UsageHistory
from services.dashboard.picture import Line

REVISED_FOR = timedelta(minutes=45)
"""How long the page looks at a bucket again."""
LEAD = timedelta(hours=1)
"""How long before a bucket a forecast must have been issued to be compared with what came."""
_OPEN = (CommandState.PENDING, CommandState.LEASED)
_PAGE = 1000

Buckets = dict[datetime, float | None]


def on_grid(values: Buckets, frame: Span) -> Line:
    """The values of the frame's buckets in order."""
    return tuple(values.get(start) for start in frame.steps(BUCKET))


class DemandMemory:
    """Demand per series, as the history counts it: holes are None."""

    def __init__(self, usage: UsageHistory) -> None:
        self._usage = usage
        self._read_until: datetime | None = None
        self.series: dict[SeriesKey, Buckets] = {}

    def read(self, frame: Span, now: datetime) -> None:
        """Take in whole buckets up to now."""
        end = min(floor_to(now, BUCKET), frame.end)
        start = frame.start
        if self._read_until is not None:
            start = max(start, floor_to(self._read_until - REVISED_FOR, BUCKET))
        if start >= end:
            return
        for demand in self._usage.demand(Span(start, end), BUCKET):
            known = self.series.setdefault(demand.key, {})
            known.update(zip(demand.span.steps(BUCKET), demand.tokens_per_second, strict=True))
        self._read_until = end


class ExpectationMemory:
    """For one series the quantiles expected of each bucket by the last forecast issued in time."""

    def __init__(self, ledger: ForecastLedger, key: SeriesKey) -> None:
        self._ledger = ledger
        self._key = key
        self._read_until: datetime | None = None
        self.median: Buckets = {}
        self.high: Buckets = {}
        self.method = self.degraded = ""
        self.issued_at: datetime | None = None

    def read(self, frame: Span, now: datetime) -> None:
        """Take in forecasts issued up to now, oldest first, so that the newest fitting one stays."""
        until = now + timedelta(seconds=1)
        since = self._read_until or frame.start - timedelta(days=1)
        for forecast in self._ledger.issued(Span(min(since, until), until), [self._key]):
            middle = forecast.mean[forecast.level_index(0.5)]
            high = forecast.mean[forecast.level_index(0.95)]
            for step, start in enumerate(forecast.span.steps(forecast.step)):
                if start >= forecast.issued_at + LEAD or start not in self.median:
                    self.median[start], self.high[start] = middle[step], high[step]
            self.method, self.degraded = forecast.method, forecast.degraded
            self.issued_at = forecast.issued_at
        self._read_until = until


class PoolMemory:
    """Wanted and ready replicas per pool at the end of each bucket, as seen at each look."""

    def __init__(self) -> None:
        self.wanted: dict[PoolKey, Buckets] = {}
        self.ready: dict[PoolKey, Buckets] = {}

    def see(self, fleet: Fleet, plan: CapacityPlan | None, now: datetime) -> None:
        """Keep this look; the last one in a bucket stays. A pool nobody reported has no count."""
        bucket = floor_to(now, BUCKET)
        for target in plan.targets if plan is not None else ():
            self.wanted.setdefault(target.pool, {})[bucket] = target.replicas
        for state in fleet.pools:
            if state.observed_at is not None:
                pool = state.observation.pool
                self.ready.setdefault(pool, {})[bucket] = state.observation.ready


class CommandMemory:
    """The newest commands and how many ended how."""

    def __init__(self, outbox: CommandOutbox, lines: int = 60) -> None:
        self._outbox = outbox
        self._states: dict[str, CommandState] = {}
        self._latest: deque[str] = deque(maxlen=lines)
        self._shown: dict[str, Command] = {}

    def read(self) -> None:
        """Take in new commands, and what became of those that were open."""
        open_before = [name for name, state in self._states.items() if not state.ended]
        after = max(self._states, default="")
        while news := self._outbox.commands(after_id=after, limit=_PAGE):
            for command in news:
                self._latest.append(command.command_id)
                self._keep(command)
            after = news[-1].command_id
        still_open = {c.command_id: c for c in self._outbox.commands(states=_OPEN, limit=_PAGE)}
        for name in open_before:
            self._keep(still_open.get(name) or self._outbox.command(name))

    def newest(self) -> Sequence[Command]:
        """Newest first."""
        return [self._shown[name] for name in reversed(self._latest)]

    def counts(self) -> dict[str, int]:
        """Commands per state, every state named."""
        counts = dict.fromkeys((str(state) for state in CommandState), 0)
        for state in self._states.values():
            counts[state] += 1
        return counts

    def _keep(self, command: Command) -> None:
        self._states[command.command_id] = command.state
        if command.command_id in self._latest:
            self._shown[command.command_id] = command
        for name in self._shown.keys() - set(self._latest):
            del self._shown[name]
