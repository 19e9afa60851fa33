"""Batch requests that wait in a region, in both directions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import pairwise

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.fleet import BacklogGroup, BatchBacklog
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.v1 import fleet_pb2
from services.translation.fields import (
    count,
    instant_from_wire,
    instant_to_wire,
    required,
    required_text,
)
from services.translation.names import named_at

MOST_GROUPS = 200
"""Of one model; who has more merges them, each as early as its first."""
LONGEST_DEADLINE = timedelta(days=400)
"""A request that is due farther from now, before or after, tells of a clock or a client that is wrong."""
MOST_REQUESTS = 10**9
"""In one group."""


def backlog_to_wire(backlog: BatchBacklog) -> fleet_pb2.BatchBacklog:
    """What waits; of which region, the message around it says."""
    return fleet_pb2.BatchBacklog(
        model=backlog.model,
        groups=[
            fleet_pb2.BacklogGroup(due=instant_to_wire(group.due), requests=group.requests)
            for group in backlog.groups
        ],
    )


def backlog_from_wire(
    path: str, backlog: fleet_pb2.BatchBacklog, region: RegionName, observed_at: datetime
) -> BatchBacklog:
    """What waited in that region at that instant. Raises InvalidInput."""
    if len(backlog.groups) > MOST_GROUPS:
        found = f"has {len(backlog.groups)} groups, at most {MOST_GROUPS} are allowed; merge them"
        raise InvalidInput(f"{path}.groups", found)
    groups = tuple(
        _group_from_wire(f"{path}.groups[{i}]", group, observed_at)
        for i, group in enumerate(backlog.groups)
    )
    for i, (before, after) in enumerate(pairwise(groups), 1):
        if after.due < before.due:
            raise InvalidInput(
                f"{path}.groups[{i}].due", "is earlier than that of the group before"
            )
    return BatchBacklog(
        region=region,
        model=ModelName(required_text(f"{path}.model", backlog.model)),
        groups=groups,
    )


def known_backlogs(
    path: str,
    backlogs: Collection[fleet_pb2.BatchBacklog],
    region: RegionName,
    observed_at: datetime,
    catalogue: FleetCatalogue,
) -> tuple[BatchBacklog, ...]:
    """What waited, of models that offer batch work, each once. Raises InvalidInput, UnknownModel,
    UnknownTier."""
    found: dict[ModelName, BatchBacklog] = {}
    for i, message in enumerate(backlogs):
        place = f"{path}[{i}]"
        with named_at(f"{place}.model"):
            catalogue.model(message.model).offered(Tier.BATCH)
        backlog = backlog_from_wire(place, message, region, observed_at)
        if backlog.model in found:
            raise InvalidInput(f"{place}.model", f"{backlog.model} appears twice")
        found[backlog.model] = backlog
    return tuple(found.values())


def _group_from_wire(
    path: str, group: fleet_pb2.BacklogGroup, observed_at: datetime
) -> BacklogGroup:
    due = instant_from_wire(required(path, group, "due"), group.due)
    if abs(due - observed_at) > LONGEST_DEADLINE:
        raise InvalidInput(
            f"{path}.due", f"{due} is more than {LONGEST_DEADLINE.days} days from the observation"
        )
    if count(f"{path}.requests", group.requests) > MOST_REQUESTS:
        raise InvalidInput(f"{path}.requests", f"{group.requests} is more than {MOST_REQUESTS:,}")
    return BacklogGroup(due=due, requests=group.requests)
