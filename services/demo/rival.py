"""The reactive policy on the same day, seen from here: a process of its own and the marks it tells."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from contextlib import suppress

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import Unavailable
from services.demo.marks import Mark
from services.demo.rival_process import live
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
            target=live, args=(voice, settings, catalogue, arrivals), name="rival", daemon=True
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
