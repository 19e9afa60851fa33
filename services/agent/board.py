"""The routing table of the moment, and a way to wait for the next one."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from heliostat.model.routing import RoutingTable


class RouteBoard:
    """Filled from the journal at start, then by the link; local gateways' streams wait on it."""

    def __init__(self, table: RoutingTable | None) -> None:
        self._table = table
        self._judged = "" if table is None else table.version
        self._changed = asyncio.Condition()

    @property
    def table(self) -> RoutingTable | None:
        """The last good one; None before the first."""
        return self._table

    async def publish(self, table: RoutingTable) -> None:
        """A newer table holds from now on."""
        async with self._changed:
            self._table = table
            self._judged = table.version
            self._changed.notify_all()

    async def refuse(self, version: str) -> None:
        """A table came that we do not use; the one before holds."""
        async with self._changed:
            self._judged = version
            self._changed.notify_all()

    @property
    def judged(self) -> str:
        """The version that was published or refused last; empty before the first."""
        return self._judged

    async def next_judgement(self, longest_seconds: float) -> None:
        """Until something is published or refused, but not longer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_seconds), self._changed:
                await self._changed.wait()

    async def after(self, version: str | None) -> RoutingTable:
        """The table as soon as there is one with another version than the caller's."""
        async with self._changed:
            while self._table is None or self._table.version == version:
                await self._changed.wait()
            return self._table
