"""Looks at a simulated world while it runs: capacity, work and attainment per step of time."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import pairwise

from heliostat.model.names import PoolKey, Tier
from simulation.engine import TierTally
from simulation.experiments.result import PoolRecord, TierRecord
from simulation.replica import OVERHEAD, Stage
from simulation.world import SimulatedWorld

MOST_STEPS = 700
"""A week in quarter hours; longer runs get longer steps."""
_SHORTEST = timedelta(minutes=5)
_PoolSeconds = tuple[float, float, float, float]
"""Busy, ready, overhead and lent replica-seconds so far."""
_TierCounts = tuple[int, int, float, float]
"""Offered, shed, judged and met so far."""


def record_step(length: timedelta) -> timedelta:
    """The step for a run of that length: five minutes, or a multiple with at most MOST_STEPS steps."""
    return _SHORTEST * max(1, math.ceil(length / (_SHORTEST * MOST_STEPS)))


class Recorder:
    """Keeps one row per step; call `look` at every instant, in order."""

    def __init__(self, world: SimulatedWorld, step: timedelta) -> None:
        self._world, self.step = world, step
        self._due = world.now + step
        self._pools = [pool.key for pool in world.estate.catalogue.pools]
        self._pool_rows = [self._pool_seconds(world.now)]
        self._tier_rows = [self._tier_counts()]

    def look(self, now: datetime) -> None:
        """Take a row when a step ends here."""
        if now >= self._due:
            self._due += self.step
            self._pool_rows.append(self._pool_seconds(now))
            self._tier_rows.append(self._tier_counts())

    def pools(self) -> dict[str, PoolRecord]:
        """Pools in which anything ever stood."""
        found = {}
        for pool in self._pools:
            rows = [row[pool] for row in self._pool_rows]
            if rows[-1] != rows[0]:
                busy, ready, overhead, lent = (
                    self._means([row[column] for row in rows]) for column in range(4)
                )
                gpus = self._world.estate.catalogue.vm_type(pool.vm_type).gpus
                found[str(pool)] = PoolRecord(
                    gpus=gpus,
                    busy=busy,
                    ready=ready,
                    overhead=overhead,
                    lent=lent if any(lent) else (),
                )
        return found

    def tiers(self) -> dict[str, TierRecord]:
        """Tiers that were asked for."""
        found = {}
        for tier in Tier:
            rows = [row[tier] for row in self._tier_rows]
            if rows[-1][0]:
                steps = list(pairwise(rows))
                found[str(tier)] = TierRecord(
                    offered=tuple(b[0] - a[0] for a, b in steps),
                    shed=tuple(b[1] - a[1] for a, b in steps),
                    judged=tuple(round(b[2] - a[2], 3) for a, b in steps),
                    met=tuple(round(b[3] - a[3], 3) for a, b in steps),
                )
        return found

    def _means(self, totals: list[float]) -> tuple[float, ...]:
        seconds = self.step.total_seconds()
        return tuple(round((b - a) / seconds, 3) for a, b in pairwise(totals))

    def _pool_seconds(self, now: datetime) -> dict[PoolKey, _PoolSeconds]:
        stages = self._world.estate.stage_seconds(now)
        engine = self._world.estate.engine
        return {
            pool: (
                engine.busy_seconds(pool),
                float(stages[pool, Stage.READY]),
                float(sum(stages[pool, stage] for stage in OVERHEAD)),
                float(stages[pool, Stage.LENT]),
            )
            for pool in self._pools
        }

    def _tier_counts(self) -> dict[Tier, _TierCounts]:
        counts: dict[Tier, _TierCounts] = dict.fromkeys(Tier, (0, 0, 0.0, 0.0))
        for key, tally in self._world.estate.engine.tallies().items():
            offered, shed, judged, met = counts[key.tier]
            counts[key.tier] = (
                offered + tally.offered,
                shed + tally.shed,
                judged + _judged(tally),
                met + tally.met,
            )
        return counts


def _judged(tally: TierTally) -> float:
    return tally.started + tally.shed if tally.reachable is None else tally.reachable
