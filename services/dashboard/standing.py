"""The page's history of pools and orders: targets, replicas, commands.

Only what lies in the page's frame is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from heliostat.model.command import OPEN_STATES, Command, CommandState
from heliostat.model.demand import BUCKET
from heliostat.model.fleet import Fleet
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import PoolKey
from heliostat.model.plan import PoolTarget
from heliostat.ports.decisions import CommandOutbox, PlanLedger
from services.dashboard.memory import Buckets, forget

_PAGE = 1000
_LINES = 60
"""Commands that the page shows."""
_NOW_TOO = timedelta(seconds=1)


class PoolMemory:
    """Wanted and ready replicas per pool at the end of each bucket.

    What was wanted is in the plans, also those made before this process; what was ready is what the
    looks saw.
    """

    def __init__(self, plans: PlanLedger) -> None:
        self._plans = plans
        self._read_until: datetime | None = None
        self.wanted: dict[PoolKey, Buckets] = {}
        self.ready: dict[PoolKey, Buckets] = {}

    def read(self, frame: Span, now: datetime) -> None:
        """Take in the plans since the last look."""
        until = now + _NOW_TOO
        since = max(frame.start, self._read_until or frame.start)
        after = 0
        while since < until and (
            plans := self._plans.plans(Span(since, until), after_version=after, limit=_PAGE)
        ):
            for plan in plans:
                self._want(plan.targets, floor_to(plan.created_at, BUCKET))
            after = plans[-1].version
        self._read_until = until
        for lines in (self.wanted, self.ready):
            for values in lines.values():
                forget(values, frame.start)

    def see(self, fleet: Fleet, targets: Iterable[PoolTarget], now: datetime) -> None:
        """Keep this look; the last one in a bucket stays. A pool nobody reported has no count."""
        bucket = floor_to(now, BUCKET)
        self._want(targets, bucket)
        for state in fleet.pools:
            if state.observed_at is not None:
                pool = state.observation.pool
                self.ready.setdefault(pool, {})[bucket] = state.observation.ready

    def _want(self, targets: Iterable[PoolTarget], bucket: datetime) -> None:
        for target in targets:
            self.wanted.setdefault(target.pool, {})[bucket] = target.replicas


class CommandMemory:
    """The newest commands of the frame, and how many ended how."""

    def __init__(self, outbox: CommandOutbox) -> None:
        self._outbox = outbox
        self._fates: dict[str, tuple[datetime, CommandState]] = {}
        """Of each command of the frame, by growing id: when it was made and how it stands."""
        self._latest: deque[str] = deque(maxlen=_LINES)
        self._shown: dict[str, Command] = {}

    def read(self, frame: Span, now: datetime) -> None:
        """Take in new commands, and what became of those that were open."""
        self._forget(frame.start)
        open_before = [name for name, (_, state) in self._fates.items() if not state.ended]
        made = Span(frame.start, max(frame.start, now + _NOW_TOO))
        after = max(self._fates, default="")
        while news := self._outbox.commands(created=made, after_id=after, limit=_PAGE):
            for command in news:
                self._latest.append(command.command_id)
                self._keep(command)
            after = news[-1].command_id
        still_open = {
            c.command_id: c for c in self._outbox.commands(states=OPEN_STATES, limit=_PAGE)
        }
        for name in open_before:
            self._keep(still_open.get(name) or self._outbox.command(name))

    def newest(self) -> Sequence[Command]:
        """Newest first."""
        return [self._shown[name] for name in reversed(self._latest)]

    def counts(self) -> dict[str, int]:
        """Commands per state, every state named."""
        counts = dict.fromkeys((str(state) for state in CommandState), 0)
        for _, state in self._fates.values():
            counts[state] += 1
        return counts

    def _keep(self, command: Command) -> None:
        self._fates[command.command_id] = (command.created_at, command.state)
        if command.command_id in self._latest:
            self._shown[command.command_id] = command
        for name in self._shown.keys() - set(self._latest):
            del self._shown[name]

    def _forget(self, before: datetime) -> None:
        """Those made earlier; ids grow with time, so the first that stays ends the search."""
        for name, (made, _) in list(self._fates.items()):
            if made >= before:
                return
            del self._fates[name]
            if self._shown.pop(name, None) is not None:
                self._latest.remove(name)
