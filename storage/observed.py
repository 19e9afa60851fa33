"""Puts the newest observation of each region together into the fleet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from heliostat.model.fleet import (
    CapacityDenial,
    Fleet,
    PoolObservation,
    PoolState,
    RegionObservation,
    RegionReport,
    Signal,
    is_ahead,
)


def fleet_of(
    observations: Iterable[RegionObservation], denials: Iterable[CapacityDenial], now: datetime
) -> Fleet:
    """The fleet that these observations show at `now`, regions and pools in order of name."""
    by_region = sorted(observations, key=lambda observation: observation.region)
    return Fleet(
        at=now,
        pools=tuple(
            PoolState(
                observation=pool, observed_at=observation.observed_at, signal=_signal_of(pool)
            )
            for observation in by_region
            for pool in sorted(observation.pools, key=lambda pool: pool.pool)
        ),
        replicas=tuple(replica for o in by_region for replica in o.replicas),
        denials=tuple(
            sorted(
                (d for d in denials if d.until > now and not is_ahead(d.at, now)),
                key=lambda denial: (denial.region, denial.vm_type),
            )
        ),
        paused_agents=frozenset(o.region for o in by_region if o.agent_paused),
        batch_backlog=tuple(backlog for o in by_region for backlog in o.batch_backlog),
        laws=tuple(law for o in by_region for law in o.laws),
        reports=tuple(
            RegionReport(region=o.region, observed_at=o.observed_at, unknown_vms=o.unknown_vms)
            for o in by_region
        ),
    )


def _signal_of(pool: PoolObservation) -> Signal:
    return Signal.FRESH if pool.standing else Signal.ZERO
