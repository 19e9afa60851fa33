"""How fast the machine was beside a benchmark: a fixed loop, once a second, in a process of its own.

Neighbours on a shared machine take half of a core's speed from one second to the next, and CPU seconds grow
with it. The loop tells: its shortest time in all runs of a report is the machine at its best.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from types import TracebackType
from typing import Self

from heliostat.clock import cpu_seconds

_ROUNDS = 150_000
_EVERY_SECONDS = 1.0


class Pace:
    """Samples while its block lasts; `samples` are CPU seconds of the loop, at least one afterwards."""

    def __init__(self) -> None:
        self.samples: tuple[float, ...] = ()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.pace"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        told, _ = self._process.communicate()
        self.samples = tuple(json.loads(told))


def _loop() -> float:
    began, total = cpu_seconds(), 0
    for number in range(_ROUNDS):
        total += number * number % 7
    return cpu_seconds() - began


def main() -> None:
    """Sample until standard input ends, then print all samples."""
    over = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    _loop()  # the first one warms up
    samples = [_loop()]
    while not over.wait(_EVERY_SECONDS):
        samples.append(_loop())
    print(json.dumps(samples))


if __name__ == "__main__":
    main()
