"""Restarts one task of the link after every failure, with back-off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from grpc import aio

from heliostat.errors import DataLoss, HeliostatError, StorageUnavailable, Unavailable
from services.agent.link.backoff import Backoff
from services.agent.link.home import Home
from services.log_events import report, say
from services.translation.problems import error_of

_log = logging.getLogger(__name__)

STANDS_SECONDS = 10.0
"""A stream that nobody has ended for so long was admitted, also when it has brought nothing yet."""

Pause = Callable[[float], Awaitable[None]]
"""Waits for so many seconds; tests give their own."""


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, but not longer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def pause(seconds: float) -> None:
    """Real seconds."""
    await wait_for(asyncio.Event(), seconds)


class Keeper:
    """One task's attempts, its back-off and whether it is well.

    Being connected proves nothing: a control plane that refuses us takes the call first. So the back-off
    begins again only when an attempt has `worked`, or its stream `stands` for ten seconds.
    """

    def __init__(self, name: str, *, home: Home, backoff: Backoff, pause: Pause = pause) -> None:
        self._name = name
        self._home = home
        self._backoff = backoff
        self._pause = pause
        self._said: bool | None = None
        self._standing: asyncio.Task[None] | None = None
        self.well = False
        """True while the last attempt went well."""

    async def forever(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Attempt again and again, until cancelled. Raises DataLoss: a broken journal mends nowhere."""
        while True:
            generation = self._home.generation
            try:
                with hung_up_as_unavailable():
                    await attempt()
            except (aio.AioRpcError, HeliostatError) as failure:
                error = domain_error(failure)
                if isinstance(error, DataLoss):
                    raise error from failure
                self._broke(error)
                if not isinstance(failure, StorageUnavailable):
                    # Our own disk is no reason to go to another control plane.
                    await self._home.move_on(error, generation)
            finally:
                self._stands_no_longer()
            if _asked_to_end():
                # A call that broke in the instant of the cancellation raised its own error instead.
                raise asyncio.CancelledError
            await self._pause(self._backoff.next_seconds())

    def worked(self) -> None:
        """Something was exchanged that the control plane confirmed or gave us."""
        if self._said is not True:
            say(_log, "link_up", task=self._name, address=self._home.address)
        self._said = self.well = True
        self._backoff.reset()

    def idle(self) -> None:
        """Nothing waits to be exchanged: nothing is broken, and nothing was shown to work."""
        self.well = True

    def stands(self) -> None:
        """A stream begins that may bring nothing for long."""
        self._standing = asyncio.create_task(self._worked_once_it_stands())

    async def _worked_once_it_stands(self) -> None:
        await self._pause(STANDS_SECONDS)
        self.worked()

    def _stands_no_longer(self) -> None:
        if self._standing is not None:
            self._standing.cancel()
            self._standing = None

    def _broke(self, error: HeliostatError) -> None:
        if self._said is not False:
            report(_log, "link_broken", error, task=self._name, address=self._home.address)
        self._said = self.well = False


def domain_error(failure: aio.AioRpcError | HeliostatError) -> HeliostatError:
    """The error as the domain knows it."""
    return error_of(failure) if isinstance(failure, aio.AioRpcError) else failure


@contextmanager
def hung_up_as_unavailable() -> Iterator[None]:
    """A call that ends because another task moved on and hung up is worth another try.

    gRPC says so with the very error that also ends a task; only a task that was not asked to end
    goes on. Raises Unavailable.
    """
    try:
        yield
    except asyncio.CancelledError:
        if _asked_to_end():
            raise
        raise Unavailable("the agent switched to another control plane") from None
    except aio.UsageError as error:
        raise Unavailable(f"the agent closed the stream: {error}") from error


def _asked_to_end() -> bool:
    """Whether somebody cancelled the task that runs this; True outside of tasks."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
