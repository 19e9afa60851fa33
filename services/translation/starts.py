"""Measured starts of replicas, in both directions."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import HeliostatError, InvalidInput
from heliostat.model.fleet import LeadTimeSample
from heliostat.v1 import fleet_pb2
from services.translation.enums import START_KIND
from services.translation.fields import (
    instant_from_wire,
    instant_to_wire,
    length_from_wire,
    length_to_wire,
    required,
)
from services.translation.names import known_pool, pool_to_wire

LONGEST_START = timedelta(days=7)
"""A replica that was longer on its way tells of a clock that jumped, and would stop all planning ahead."""


def start_to_wire(sample: LeadTimeSample) -> fleet_pb2.LeadTimeSample:
    """The measured start."""
    return fleet_pb2.LeadTimeSample(
        pool=pool_to_wire(sample.pool),
        start_kind=START_KIND.to_wire(sample.start_kind),
        lead_time=length_to_wire(sample.lead_time),
        ready_at=instant_to_wire(sample.ready_at),
    )


def start_from_wire(
    path: str, sample: fleet_pb2.LeadTimeSample, catalogue: FleetCatalogue
) -> LeadTimeSample:
    """The measured start, of a pool of the catalogue. Raises InvalidInput, Unknown… errors."""
    return LeadTimeSample(
        pool=known_pool(required(path, sample, "pool"), sample.pool, catalogue),
        start_kind=START_KIND.from_wire(f"{path}.start_kind", sample.start_kind),
        lead_time=_length_of_start(required(path, sample, "lead_time"), sample.lead_time),
        ready_at=instant_from_wire(required(path, sample, "ready_at"), sample.ready_at),
    )


def drop_unreadable_starts(
    observation: fleet_pb2.RegionObservation, catalogue: FleetCatalogue
) -> None:
    """Leave out measured starts that no control plane would take: of pools that are no longer in the
    catalogue, or measured while a clock jumped. An observation must not wait behind them for ever."""
    readable = [s for s in observation.lead_times if _is_readable(s, catalogue)]
    del observation.lead_times[:]
    observation.lead_times.extend(readable)


def _is_readable(sample: fleet_pb2.LeadTimeSample, catalogue: FleetCatalogue) -> bool:
    try:
        start_from_wire("", sample, catalogue)
    except HeliostatError:
        return False
    return True


def _length_of_start(path: str, duration: Duration) -> timedelta:
    lead_time = length_from_wire(path, duration)
    if lead_time > LONGEST_START:
        raise InvalidInput(
            path, f"{lead_time} is longer than the longest possible start, {LONGEST_START}"
        )
    return lead_time
