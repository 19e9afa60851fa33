"""Refitted engine laws of one model on one VM type, combined over regions.

The regions' laws count by what they rest on; the error is the largest, so that margins are wide enough
everywhere. A law that says times far from the catalogue's is not believed: a plan that followed a broken
meter would buy, or give back, half of a fleet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import ModelName, VmTypeName
from scheduling.laws.law import WorkerLaw

LawKey = tuple[ModelName, VmTypeName]

SHIPPED = "the catalogue's law"
MOST_FACTOR = 4.0
"""Times that are so many times longer or shorter than the catalogue's are not believed."""
_TIMES = (
    "prefill_base",
    "prefill_per_token",
    "prefill_per_token_beyond_knee",
    "decode_base",
    "decode_per_sequence",
    "decode_per_sequence_kilotoken",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refitted:
    """The laws of one model on one VM type, one a region, at least one."""

    laws: tuple[MeasuredLaw, ...]

    @property
    def believed(self) -> bool:
        """False when some region's times, with their error, lie too far from the catalogue's."""
        return all(
            ratio >= 1.0 / MOST_FACTOR and ratio * (1.0 + law.error) <= MOST_FACTOR
            for law in self.laws
            for ratio in (law.prefill_ratio, law.iteration_ratio)
        )

    @property
    def said(self) -> str:
        """In a few words, for a plan's reasons."""
        regions = ", ".join(sorted(law.pool.region for law in self.laws))
        if not self.believed:
            return f"{SHIPPED} (the one refitted in {regions} differs too much to be used)"
        observed = sum(law.observed for law in self.laws)
        error = max(law.error for law in self.laws)
        return f"the law refitted in {regions} ({observed:,} observations, error {error:.0%})"

    def over(self, shipped: WorkerLaw) -> WorkerLaw:
        """The measured times with the memory of the catalogue's law."""
        # A law that rests on nothing counts as if it rested on one observation.
        weighed = [(law, max(1, law.observed)) for law in self.laws]
        total = sum(weight for _, weight in weighed)
        times = {
            name: sum(getattr(law, name) * weight for law, weight in weighed) / total
            for name in _TIMES
        }
        kilotoken = times.pop("decode_per_sequence_kilotoken")
        error = max(law.error for law in self.laws)
        return replace(shipped, **times, decode_per_token=kilotoken / 1000, error=error)


def refitted(laws: Iterable[MeasuredLaw]) -> Mapping[LawKey, Refitted]:
    """By model and VM type."""
    found: dict[LawKey, tuple[MeasuredLaw, ...]] = {}
    for law in laws:
        key = (law.pool.model, law.pool.vm_type)
        found[key] = (*found.get(key, ()), law)
    return {key: Refitted(laws=some) for key, some in found.items()}
