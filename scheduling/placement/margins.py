"""How much best fit leaves unused, beside the error of the laws, which it always adds."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """`memory_share`: θ, the share of KV memory that predicted peaks may fill (the paper has such a
    factor, 0.95 is ours); `time`: seconds by the laws are taken this share longer."""

    memory_share: float = 0.95
    time: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.memory_share <= 1 or not 0 <= self.time < 10:
            raise InvalidInput("margins", f"memory_share {self.memory_share}, time {self.time}")
