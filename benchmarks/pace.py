"""How fast the machine was beside a benchmark: a fixed loop, once a second, in a process of its own.

Neighbours on a shared machine take half of a core's speed from one second to the next, and CPU seconds grow
with it. The loop tells: its shortest time in all runs of a report is the machine at its best.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from heliostat.clock import cpu_seconds

_ROUNDS = 150_000
_EVERY_SECONDS = 1.0


@contextmanager
def pace() -> Iterator[list[float]]:
    """CPU seconds of the loop while the block lasts; they are there, at least one, once it ended well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.pace"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    samples: list[float] = []
    try:
        yield samples
    finally:
        told, _ = process.communicate()
    samples.extend(json.loads(told))


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
