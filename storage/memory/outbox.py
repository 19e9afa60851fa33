"""The command outbox in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import dropwhile, islice, takewhile
from threading import RLock

from heliostat.errors import UnknownCommand
from heliostat.model.command import Acknowledgement, Command, CommandState, Order
from heliostat.model.instants import Span
from heliostat.model.names import PoolKey, RegionName
from storage import life
from storage.memory.audit import MemoryAudit
from storage.memory.leadership import MemoryLeadership
from storage.notify import ChangeFeed, Topic
from storage.numbering import command_id


@dataclass(slots=True)
class _Held:
    """A command, and the agent that has it."""

    command: Command
    holder: str = ""
    leased_until: datetime | None = None


class MemoryOutbox:
    """Keeps `CommandOutbox`'s promise in dictionaries; ids grow, so insertion order is age."""

    def __init__(
        self, leadership: MemoryLeadership, audit: MemoryAudit, feed: ChangeFeed, lock: RLock
    ) -> None:
        self._leadership = leadership
        self._audit = audit
        self._feed = feed
        self._lock = lock
        self._held: dict[str, _Held] = {}
        self._open: dict[str, _Held] = {}
        """Those that have not ended, by age too: of weeks of commands hardly any is of interest."""
        self._by_request: dict[str, str] = {}
        self._changes: dict[PoolKey, datetime] = {}
        self._last: dict[PoolKey, str] = {}
        """The command of each pool's last change."""
        self._made = 0

    # --- for the decision store, which holds the lock and checked the epoch --------------------

    def find_request(self, asked: Command) -> Command | None:
        """The stored command of the same request, None when it is new. Raises RequestIdReused."""
        return self.requested(asked.request_id, asked.order)

    def pending(self) -> tuple[Command, ...]:
        """Every command that no agent has yet."""
        return tuple(
            held.command
            for held in self._open.values()
            if held.command.state is CommandState.PENDING
        )

    def next_id(self) -> str:
        """The id that the next command gets."""
        return command_id(self._made + 1)

    def newest_id(self) -> str:
        """The id of the newest command that is kept; "" where none is."""
        return next(reversed(self._held), "")

    def put(self, command: Command) -> None:
        """Keep a new command."""
        self._made += 1
        self._held[command.command_id] = self._open[command.command_id] = _Held(command)
        if command.request_id:
            self._by_request[command.request_id] = command.command_id
        for pool in command.order.pools:
            self._changes[pool] = command.created_at
            self._last[pool] = command.command_id

    def supersede(self, command_id: str, by: Command) -> None:
        """End a pending command in favour of a newer one; one that ended meanwhile stays."""
        held = self._held[command_id]
        if not held.command.state.ended:
            self._change(held, life.superseded(held.command, by.command_id, by.created_at))

    # --- the port ----------------------------------------------------------------------------

    def lease(
        self, region: RegionName, holder: str, now: datetime, duration: timedelta
    ) -> tuple[Command, ...]:
        with self._lock:
            of_region = [held for held in self._open.values() if held.command.region == region]
            leases = [life.Leased(h.command, h.holder, h.leased_until) for h in of_region]
            free = life.leasable(leases, holder, now, duration)
            taken = [held for held in of_region if held.command.command_id in free]
            for held in taken:
                self._change(held, life.leased(held.command))
                held.holder, held.leased_until = holder, now + duration
            return tuple(held.command for held in taken)

    def acknowledge(self, ack: Acknowledgement) -> Command:
        with self._lock:
            held = self._find(ack.command_id)
            after = life.acknowledged(held.command, ack)
            changed = after != held.command
            self._change(held, after)
        if changed:
            self._feed.publish((Topic.WORDS,))
        return after

    def command(self, command_id: str) -> Command:
        with self._lock:
            return self._find(command_id).command

    def requested(self, request_id: str, order: Order) -> Command | None:
        with self._lock:
            known = self._by_request.get(request_id) if request_id else None
            return None if known is None else life.same_request(self._held[known].command, order)

    def commands(
        self,
        *,
        region: RegionName | None = None,
        states: Sequence[CommandState] = (),
        created: Span | None = None,
        newest_first: bool = False,
        after_id: str = "",
        limit: int = 100,
    ) -> tuple[Command, ...]:
        with self._lock:
            walk = _behind(self._asked(states), after_id, newest_first=newest_first)
            return tuple(islice(_matching(walk, region, states, created), limit))

    def count(
        self,
        *,
        region: RegionName | None = None,
        states: Sequence[CommandState] = (),
        created: Span | None = None,
    ) -> int:
        with self._lock:
            walk = self._asked(states).values()
            return sum(1 for _ in _matching(walk, region, states, created))

    def cancel(
        self, command_id: str, *, etag: str, author: str, now: datetime, epoch: int
    ) -> Command:
        with self._lock:
            self._leadership.check(epoch)
            held = self._find(command_id)
            self._change(held, life.cancelled(held.command, etag=etag, author=author, now=now))
            self._audit.note(life.cancelled_command_record(command_id, author, now))
        self._feed.publish((Topic.COMMANDS,))
        return held.command

    def expire(self, now: datetime, *, epoch: int) -> tuple[Command, ...]:
        with self._lock:
            self._leadership.check(epoch)
            late = [h for h in self._open.values() if life.overdue(h.command, h.leased_until, now)]
            for held in late:
                self._change(held, life.expired(held.command, now))
        if late:
            self._feed.publish((Topic.COMMANDS,))
        return tuple(held.command for held in late)

    def last_changes(self) -> tuple[tuple[PoolKey, datetime], ...]:
        with self._lock:
            return tuple(sorted(self._changes.items()))

    def last_commands(self) -> tuple[tuple[PoolKey, str], ...]:
        with self._lock:
            return tuple(
                sorted((pool, last) for pool, last in self._last.items() if last in self._held)
            )

    def prune(self, created_before: datetime) -> int:
        with self._lock:
            old = [
                held.command
                for held in self._held.values()
                if held.command.created_at < created_before and held.command.state.ended
            ]
            for command in old:
                del self._held[command.command_id]
                self._by_request.pop(command.request_id, None)
            return len(old)

    def _asked(self, states: Sequence[CommandState]) -> dict[str, _Held]:
        return self._held if any(s.ended for s in states or CommandState) else self._open

    def _change(self, held: _Held, command: Command) -> None:
        """The command as it is from now on; who has ended stays so."""
        held.command = command
        if command.state.ended:
            self._open.pop(command.command_id, None)

    def _find(self, command_id: str) -> _Held:
        held = self._held.get(command_id)
        if held is None:
            raise UnknownCommand(command_id)
        return held


def _behind(held: dict[str, _Held], after_id: str, *, newest_first: bool) -> Iterable[_Held]:
    """Those behind the one of that id; the newest few of a year's commands are found at once."""
    newest = reversed(held.values())
    if newest_first:
        return dropwhile(lambda h: after_id and h.command.command_id >= after_id, newest)
    if not after_id:
        return held.values()
    return reversed(list(takewhile(lambda h: h.command.command_id > after_id, newest)))


def _matching(
    walk: Iterable[_Held],
    region: RegionName | None,
    states: Sequence[CommandState],
    created: Span | None,
) -> Iterator[Command]:
    return (
        held.command
        for held in walk
        if (region is None or held.command.region == region)
        and (not states or held.command.state in states)
        and (created is None or held.command.created_at in created)
    )
