"""How long something took: seconds by the clock and of processors, other processes' as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from heliostat.clock import cpu_seconds, monotonic_seconds


@dataclass(slots=True)
class Watch:
    """Both lengths; 0 until the block ended."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def watched(cpu: Callable[[], float] = cpu_seconds) -> Iterator[Watch]:
    """Measures its block; `cpu` says how many CPU seconds were used so far."""
    watch = Watch()
    wall, used = monotonic_seconds(), cpu()
    yield watch
    watch.wall_seconds, watch.cpu_seconds = monotonic_seconds() - wall, cpu() - used


def cpu_of(processes: Iterable[psutil.Process]) -> float:
    """CPU seconds of these processes so far."""
    times = [process.cpu_times() for process in processes]
    return sum(spent.user + spent.system for spent in times)
