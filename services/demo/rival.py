"""The reactive policy on the same day: a separate process and the marks it reports."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from contextlib import suppress

from heliostat.errors import Unavailable
from heliostat.interrupts import ctrl_c_kept_from_children
from services.demo.marks import Mark
from services.demo.rival_process import RivalRun, simulate_rival

_GONE = (EOFError, ConnectionError)


class Rival:
    """A process that runs the reactive policy; it ends with its day, with us, or when stopped.

    What it is to simulate it is told over its pipe. `multiprocessing` would write a large argument to a
    process while itself holding the end that it is read from, and so wait for ever where the process
    was ended (by Ctrl-C, by SIGTERM to the group) before it had read all of it.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=simulate_rival, args=(theirs,), name="rival", daemon=True
        )
        self._marks: list[Mark] = []
        with ctrl_c_kept_from_children():
            self._process.start()
        theirs.close()

    def begin(self, run: RivalRun) -> None:
        """Tell it what to simulate, once, and return when it has heard; whoever looks at its marks hears
        when it is gone."""
        with suppress(ConnectionError):
            self._pipe.send(run)

    def marks(self) -> Sequence[Mark]:
        """What it has told so far. Raises Unavailable when it broke."""
        # OSError: somebody stopped it, and closed the pipe, meanwhile.
        with suppress(EOFError, OSError):
            while self._pipe.poll():
                self._hear()
        return tuple(self._marks)

    def wait(self) -> Sequence[Mark]:
        """Everything that it tells, after it ended. Raises Unavailable when it broke."""
        with suppress(*_GONE):
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
        self._pipe.close()

    def _hear(self) -> None:
        word = self._pipe.recv()
        if isinstance(word, str):
            raise Unavailable(f"the reactive policy failed: {word}")
        self._marks.append(word)
