"""One measured figure beside the target that it should reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A value with its unit; `target` None = reported, not judged.

    `command` is what prints this figure alone; `cpu_seconds` is what measuring it took.
    """

    name: str
    value: float
    unit: str
    command: str
    cpu_seconds: float
    target: float | None = None
    better: Literal["higher", "lower"] = "lower"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """True when the target is reached; None without a target."""
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "higher" else self.value <= self.target


Benchmark = Callable[[], Iterable[Figure]]
"""Measures something and yields figures. A module of benchmarks lists its own in `BENCHMARKS`."""
