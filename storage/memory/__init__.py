"""Every storage port in memory, for the simulator, the demo's rivals and tests."""

from __future__ import annotations

from datetime import timedelta
from threading import RLock

from heliostat.ports.clock import Clock
from heliostat.ports.stores import Stores
from storage.memory.audit import MemoryAudit
from storage.memory.decisions import MemoryDecisions, MemoryPlans, MemoryRouting
from storage.memory.fleet import MemoryFleet
from storage.memory.forecasts import MemoryForecasts
from storage.memory.governing import MemoryModes, MemoryOverrides
from storage.memory.leadership import MemoryLeadership
from storage.memory.outbox import MemoryOutbox
from storage.memory.usage import MemoryUsage
from storage.notify import ChangeFeed


def memory_stores(
    clock: Clock, feed: ChangeFeed | None = None, *, forecasts_whole_for: timedelta | None = None
) -> Stores:
    """Empty stores that forget everything with the process; the lease runs on `clock`.

    Safe to use from several threads. `feed` hears of every commit. `forecasts_whole_for`: see
    `MemoryForecasts`; None keeps all of them whole.
    """
    lock = RLock()
    feed = feed or ChangeFeed()
    leadership = MemoryLeadership(clock, lock)
    audit = MemoryAudit(lock)
    plans, routing = MemoryPlans(lock), MemoryRouting(lock)
    outbox = MemoryOutbox(leadership, audit, feed, lock)
    overrides, modes = MemoryOverrides(leadership, audit, lock), MemoryModes(lock)
    return Stores(
        usage=MemoryUsage(feed, lock),
        forecasts=MemoryForecasts(leadership, lock, whole_for=forecasts_whole_for),
        decisions=MemoryDecisions(
            leadership=leadership,
            plans=plans,
            routing=routing,
            outbox=outbox,
            overrides=overrides,
            modes=modes,
            audit=audit,
            feed=feed,
            lock=lock,
        ),
        plans=plans,
        routing=routing,
        outbox=outbox,
        overrides=overrides,
        modes=modes,
        fleet=MemoryFleet(lock),
        audit=audit,
        leadership=leadership,
    )
