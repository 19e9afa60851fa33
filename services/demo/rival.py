"""The reactive policy lives the same day in a process of its own and sends a mark every quarter hour."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from multiprocessing.connection import Connection

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import Unavailable
from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span
from services.demo.marks import Mark, mark_of
from services.demo.settings import DemoSettings
from simulation.arrivals import ArrivalRates


class Rival:
    """A process that runs the reactive policy; it ends with its day, with us, or when stopped."""

    def __init__(
        self, *, settings: DemoSettings, catalogue: FleetCatalogue, arrivals: ArrivalRates
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._ears, voice = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_live, args=(voice, settings, catalogue, arrivals), name="rival", daemon=True
        )
        self._marks: list[Mark] = []
        self._process.start()
        voice.close()

    def marks(self) -> Sequence[Mark]:
        """What it has told so far. Raises Unavailable when it broke."""
        with suppress(EOFError, OSError):
            while self._ears.poll():
                self._hear()
        return tuple(self._marks)

    def wait(self) -> Sequence[Mark]:
        """Everything that it tells, after it ended. Raises Unavailable when it broke."""
        with suppress(EOFError):
            while True:
                self._hear()
        self._process.join()
        if self._process.exitcode:
            raise Unavailable(f"the reactive policy's process ended with {self._process.exitcode}")
        return tuple(self._marks)

    def stop(self) -> None:
        """End it now; repeatable."""
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()
        self._ears.close()

    def _hear(self) -> None:
        word = self._ears.recv()
        if isinstance(word, str):
            raise Unavailable(f"the reactive policy broke: {word}")
        self._marks.append(word)


def remembered(arrivals: ArrivalRates, settings: DemoSettings) -> ArrivalRates:
    """What a policy without forecasts looks back at: a day, from which token mixes are measured."""
    start = max(arrivals.span.start, settings.day_start - timedelta(days=1))
    return arrivals.within(Span(start, arrivals.span.end))


def _live(
    voice: Connection, settings: DemoSettings, catalogue: FleetCatalogue, arrivals: ArrivalRates
) -> None:
    """The process: Ctrl-C is our starter's business; when it is gone, so are we."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from services.demo.bootstrap import reactive_world
    from services.demo.main import collect_seldom

    collect_seldom()

    with suppress(BrokenPipeError):
        try:
            world = reactive_world(settings=settings, catalogue=catalogue, arrivals=arrivals)
            voice.send(mark_of(world.estate, world.accountant, world.now))
            while world.now < settings.day_end:
                world.run_until(world.now + BUCKET)
                voice.send(mark_of(world.estate, world.accountant, world.now))
        except Exception as error:
            voice.send(f"{type(error).__name__}: {error}")
            raise
