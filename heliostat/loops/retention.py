"""Retention periods, and the housekeeping that deletes expired records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.ports.stores import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how long each kind is kept. What is still in force stays whatever its age: open commands, the
    newest plan, each origin's newest routing table."""

    windows: timedelta = timedelta(days=3)
    roll_ups: timedelta = timedelta(days=400)
    forecasts: timedelta = timedelta(days=14)
    """A refresh of 1,000 series takes 12 MB, every 15 minutes."""
    plans: timedelta = timedelta(days=56)
    commands: timedelta = timedelta(days=56)
    """A `request_id` is known for as long."""
    routing_tables: timedelta = timedelta(days=3)
    """Each holds every replica of its region, and is published every few minutes."""
    routing_acks: timedelta = timedelta(hours=6)
    """A gateway that was not heard of for so long is gone; one that lives answers every table."""
    audit: timedelta = timedelta(days=180)
    lead_times: timedelta = timedelta(days=56)


SILENCE = timedelta(days=1)
"""Nothing is dropped while nobody was heard of for so long."""


def drop_old(stores: Stores, keep: Retention, now: datetime) -> int | None:
    """Drop what nobody keeps any more, in short transactions; repeatable; returns rows removed. Of what
    piled up for long some may be left for the next time.

    None, and nothing dropped, while `now` lies further than `SILENCE` after everything that regions and
    gateways said: a clock that runs ahead would take everything with it.
    """
    if not _heard_lately(stores, now):
        return None
    return (
        stores.usage.prune(now - keep.windows, now - keep.roll_ups)
        + stores.forecasts.prune(now - keep.forecasts)
        + stores.plans.prune(now - keep.plans)
        + stores.outbox.prune(now - keep.commands)
        + stores.routing.prune(now - keep.routing_tables, now - keep.routing_acks)
        + stores.audit.prune(now - keep.audit)
        + stores.fleet.prune(now - keep.lead_times)
    )


def _heard_lately(stores: Stores, now: datetime) -> bool:
    seen = (pool.observed_at for pool in stores.fleet.fleet(now).pools)
    return bool(stores.usage.watermark(now)) or any(
        at is not None and now - at < SILENCE for at in seen
    )
