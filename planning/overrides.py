"""The override in force for a pool, and the count it returns to afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from heliostat.model.fleet import Fleet
from heliostat.model.governance import Override
from heliostat.model.names import PoolKey
from heliostat.model.plan import CapacityPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An override by `author` that ended: its pool goes back to `replicas` unless a forecast decides."""

    replicas: int
    author: str

    @property
    def said(self) -> str:
        """For reasons."""
        return f"the override by {self.author} ended; back to the {self.replicas} of before it"


def overrides_in_force(overrides: tuple[Override, ...], now: datetime) -> dict[PoolKey, Override]:
    """The override that rules each pool now: the one created last."""
    ordered = sorted(overrides, key=lambda o: (o.created_at, o.override_id))
    return {override.pool: override for override in ordered if override.in_force(now)}


def overrides_ended(
    previous: CapacityPlan | None, ruling: Mapping[PoolKey, Override], fleet: Fleet
) -> dict[PoolKey, Ended]:
    """Overrides that bound the last plan and rule no more, as long as their pools are not back.

    A guardrail may let a pool go back in parts or later; until it stands at its count, and the
    last plan wanted that, the end is not forgotten.
    """
    ended: dict[PoolKey, Ended] = {}
    for last in previous.targets if previous is not None else ():
        before = last.without_override
        if before is None or last.pool in ruling:
            continue
        if last.replicas != before or fleet.pool(last.pool).standing > before:
            ended[last.pool] = Ended(replicas=before, author=last.reason.author)
    return ended
