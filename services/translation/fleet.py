"""What stands: observations of agents, and the fleet as we show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import HeliostatError, InvalidInput
from heliostat.model.fleet import (
    CapacityDenial,
    Fleet,
    LeadTimeSample,
    PoolObservation,
    PoolState,
    RegionObservation,
)
from heliostat.model.names import PoolKey, RegionName, VmTypeName
from heliostat.v1 import fleet_pb2
from services.translation.enums import SIGNAL, START_KIND
from services.translation.fields import (
    count,
    finite,
    instant_from_wire,
    instant_to_wire,
    length_from_wire,
    length_to_wire,
    required,
    required_text,
)
from services.translation.measured_laws import law_from_wire, law_to_wire
from services.translation.names import known_pool, known_region, pool_from_wire, pool_to_wire
from services.translation.routing import replica_from_wire, replica_to_wire

Number = TypeVar("Number", int, float)

LONGEST_START = timedelta(days=7)
"""A replica that was longer on its way tells of a clock that jumped, and would stop all planning ahead."""
HIGHEST_RATIO = 1e6
_COUNTS = ("desired", "provisioning", "loading", "ready", "draining", "failed")


def observation_to_wire(observation: RegionObservation) -> fleet_pb2.RegionObservation:
    """The region as observed."""
    return fleet_pb2.RegionObservation(
        region=observation.region,
        observed_at=instant_to_wire(observation.observed_at),
        pools=[_pool_to_wire(pool) for pool in observation.pools],
        replicas=[replica_to_wire(replica) for replica in observation.replicas],
        lead_times=[_sample_to_wire(sample) for sample in observation.lead_times],
        unknown_vms=observation.unknown_vms,
        agent_paused=observation.agent_paused,
        laws=[law_to_wire(law) for law in observation.laws],
    )


def observation_from_wire(
    path: str, observation: fleet_pb2.RegionObservation, catalogue: FleetCatalogue
) -> RegionObservation:
    """The region as observed; its pools are the catalogue's. Raises InvalidInput, Unknown… errors."""
    region = known_region(f"{path}.region", observation.region, catalogue)
    for index, replica in enumerate(observation.replicas):
        if replica.pool.region != region:
            raise InvalidInput(f"{path}.replicas[{index}].pool", f"is foreign to {region}")
    for index, pool in enumerate(observation.pools):
        known_pool(f"{path}.pools[{index}].pool", pool.pool, catalogue)
    return RegionObservation(
        region=region,
        observed_at=instant_from_wire(
            required(path, observation, "observed_at"), observation.observed_at
        ),
        pools=tuple(
            _pool_from_wire(f"{path}.pools[{i}]", pool) for i, pool in enumerate(observation.pools)
        ),
        replicas=tuple(
            replica_from_wire(f"{path}.replicas[{i}]", replica)
            for i, replica in enumerate(observation.replicas)
        ),
        lead_times=tuple(
            _sample_from_wire(f"{path}.lead_times[{i}]", sample, catalogue)
            for i, sample in enumerate(observation.lead_times)
        ),
        unknown_vms=tuple(observation.unknown_vms),
        agent_paused=observation.agent_paused,
        laws=tuple(
            law_from_wire(
                law, known_pool(required(f"{path}.laws[{i}]", law, "pool"), law.pool, catalogue)
            )
            for i, law in enumerate(observation.laws)
        ),
    )


def drop_unreadable_starts(
    observation: fleet_pb2.RegionObservation, catalogue: FleetCatalogue
) -> None:
    """Leave out measured starts that no control plane would take: of pools that are no longer in the
    catalogue, or measured while a clock jumped. An observation must not wait behind them for ever."""
    readable = [s for s in observation.lead_times if _is_readable(s, catalogue)]
    del observation.lead_times[:]
    observation.lead_times.extend(readable)


def fleet_to_wire(fleet: Fleet, etags: Mapping[PoolKey, str]) -> fleet_pb2.GetFleetResponse:
    """The fleet, each pool with the etag that an order for it may carry."""
    return fleet_pb2.GetFleetResponse(
        at=instant_to_wire(fleet.at),
        pools=[
            fleet_pb2.PoolState(
                observation=_pool_to_wire(state.observation),
                observed_at=None
                if state.observed_at is None
                else instant_to_wire(state.observed_at),
                signal=SIGNAL.to_wire(state.signal),
                etag=etags.get(state.observation.pool, ""),
            )
            for state in fleet.pools
        ],
        replicas=[replica_to_wire(replica) for replica in fleet.replicas],
        denials=[_denial_to_wire(denial) for denial in fleet.denials],
        paused_agents=sorted(fleet.paused_agents),
    )


def fleet_from_wire(response: fleet_pb2.GetFleetResponse) -> Fleet:
    """The fleet. Raises InvalidInput."""
    return Fleet(
        at=instant_from_wire(required("", response, "at"), response.at),
        pools=tuple(
            _state_from_wire(f"pools[{i}]", state) for i, state in enumerate(response.pools)
        ),
        replicas=tuple(
            replica_from_wire(f"replicas[{i}]", replica)
            for i, replica in enumerate(response.replicas)
        ),
        denials=tuple(
            _denial_from_wire(f"denials[{i}]", denial) for i, denial in enumerate(response.denials)
        ),
        paused_agents=frozenset(RegionName(name) for name in response.paused_agents),
    )


def etags_from_wire(response: fleet_pb2.GetFleetResponse) -> dict[PoolKey, str]:
    """The pools' etags. Raises InvalidInput."""
    return {
        pool_from_wire(f"pools[{i}].observation.pool", state.observation.pool): state.etag
        for i, state in enumerate(response.pools)
    }


def _pool_to_wire(pool: PoolObservation) -> fleet_pb2.PoolObservation:
    counts = {f"{name}_replicas": getattr(pool, name) for name in _COUNTS}
    return fleet_pb2.PoolObservation(
        pool=pool_to_wire(pool.pool),
        **counts,
        running_requests=pool.running_requests,
        waiting_requests=pool.waiting_requests,
        utilisation_ratio=pool.utilisation,
        kv_occupancy_ratio=pool.kv_occupancy,
    )


def _pool_from_wire(path: str, pool: fleet_pb2.PoolObservation) -> PoolObservation:
    counts = {
        name: count(f"{path}.{name}_replicas", getattr(pool, f"{name}_replicas"))
        for name in _COUNTS
    }

    return PoolObservation(
        pool=pool_from_wire(required(path, pool, "pool"), pool.pool),
        **counts,
        running_requests=_measured(path, pool, "running_requests", count),
        waiting_requests=_measured(path, pool, "waiting_requests", count),
        utilisation=_measured(path, pool, "utilisation_ratio", _ratio),
        kv_occupancy=_measured(path, pool, "kv_occupancy_ratio", _ratio),
    )


def _measured(
    path: str, message: Message, name: str, check: Callable[[str, Number], Number]
) -> Number | None:
    """A field that is absent when it was not measured."""
    return check(f"{path}.{name}", getattr(message, name)) if message.HasField(name) else None


def _ratio(path: str, number: float) -> float:
    if not 0 <= finite(path, number) <= HIGHEST_RATIO:
        raise InvalidInput(path, f"{number} lies outside [0, {HIGHEST_RATIO:g}]")
    return number


def _state_from_wire(path: str, state: fleet_pb2.PoolState) -> PoolState:
    return PoolState(
        observation=_pool_from_wire(required(path, state, "observation"), state.observation),
        observed_at=instant_from_wire(f"{path}.observed_at", state.observed_at)
        if state.HasField("observed_at")
        else None,
        signal=SIGNAL.from_wire(f"{path}.signal", state.signal),
    )


def _sample_to_wire(sample: LeadTimeSample) -> fleet_pb2.LeadTimeSample:
    return fleet_pb2.LeadTimeSample(
        pool=pool_to_wire(sample.pool),
        start_kind=START_KIND.to_wire(sample.start_kind),
        lead_time=length_to_wire(sample.lead_time),
        ready_at=instant_to_wire(sample.ready_at),
    )


def _sample_from_wire(
    path: str, sample: fleet_pb2.LeadTimeSample, catalogue: FleetCatalogue
) -> LeadTimeSample:
    return LeadTimeSample(
        pool=known_pool(required(path, sample, "pool"), sample.pool, catalogue),
        start_kind=START_KIND.from_wire(f"{path}.start_kind", sample.start_kind),
        lead_time=_start_from_wire(required(path, sample, "lead_time"), sample.lead_time),
        ready_at=instant_from_wire(required(path, sample, "ready_at"), sample.ready_at),
    )


def _is_readable(sample: fleet_pb2.LeadTimeSample, catalogue: FleetCatalogue) -> bool:
    try:
        _sample_from_wire("", sample, catalogue)
    except HeliostatError:
        return False
    return True


def _start_from_wire(path: str, duration: Duration) -> timedelta:
    lead_time = length_from_wire(path, duration)
    if lead_time > LONGEST_START:
        raise InvalidInput(path, f"{lead_time} is longer than any start, {LONGEST_START}")
    return lead_time


def _denial_to_wire(denial: CapacityDenial) -> fleet_pb2.CapacityDenial:
    return fleet_pb2.CapacityDenial(
        region=denial.region,
        vm_type=denial.vm_type,
        reason=denial.reason,
        at=instant_to_wire(denial.at),
        until=instant_to_wire(denial.until),
        most_replicas=denial.most_replicas,
    )


def _denial_from_wire(path: str, denial: fleet_pb2.CapacityDenial) -> CapacityDenial:
    return CapacityDenial(
        region=RegionName(required_text(f"{path}.region", denial.region)),
        vm_type=VmTypeName(required_text(f"{path}.vm_type", denial.vm_type)),
        reason=denial.reason,
        at=instant_from_wire(required(path, denial, "at"), denial.at),
        until=instant_from_wire(required(path, denial, "until"), denial.until),
        most_replicas=count(f"{path}.most_replicas", denial.most_replicas),
    )
