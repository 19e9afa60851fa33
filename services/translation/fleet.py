"""The fleet: observations by agents, and the fleet as shown to callers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.fleet import (
    BatchBacklog,
    CapacityDenial,
    Fleet,
    PoolState,
    RegionObservation,
    RegionReport,
)
from heliostat.model.holding import RegionHold
from heliostat.model.names import PoolKey, RegionName, VmTypeName
from heliostat.v1 import fleet_pb2
from services.translation.backlogs import backlog_from_wire, backlog_to_wire, known_backlogs
from services.translation.enums import SIGNAL
from services.translation.fields import (
    count,
    instant_from_wire,
    instant_to_wire,
    required,
    required_text,
)
from services.translation.holds import hold_from_wire, hold_to_wire
from services.translation.measured_laws import law_from_wire, law_to_wire
from services.translation.names import known_pool, known_region, pool_from_wire
from services.translation.pools import observed_from_wire, observed_to_wire
from services.translation.routing import replica_from_wire, replica_to_wire
from services.translation.starts import start_from_wire, start_to_wire


def observation_to_wire(observation: RegionObservation) -> fleet_pb2.RegionObservation:
    """The region as observed."""
    return fleet_pb2.RegionObservation(
        region=observation.region,
        observed_at=instant_to_wire(observation.observed_at),
        pools=[observed_to_wire(pool) for pool in observation.pools],
        replicas=[replica_to_wire(replica) for replica in observation.replicas],
        lead_times=[start_to_wire(sample) for sample in observation.lead_times],
        unknown_vms=observation.unknown_vms,
        agent_paused=observation.agent_paused,
        laws=[law_to_wire(law) for law in observation.laws],
        batch_backlog=[backlog_to_wire(backlog) for backlog in observation.batch_backlog],
    )


def observation_from_wire(
    path: str, observation: fleet_pb2.RegionObservation, catalogue: FleetCatalogue
) -> RegionObservation:
    """The region as observed; its pools are the catalogue's. Raises InvalidInput, Unknown… errors."""
    region = known_region(f"{path}.region", observation.region, catalogue)
    for index, replica in enumerate(observation.replicas):
        if replica.pool.region != region:
            raise InvalidInput(f"{path}.replicas[{index}].pool", f"does not belong to {region}")
    for index, pool in enumerate(observation.pools):
        known_pool(f"{path}.pools[{index}].pool", pool.pool, catalogue)
    observed_at = instant_from_wire(
        required(path, observation, "observed_at"), observation.observed_at
    )
    return RegionObservation(
        region=region,
        observed_at=observed_at,
        pools=tuple(
            observed_from_wire(f"{path}.pools[{i}]", pool)
            for i, pool in enumerate(observation.pools)
        ),
        replicas=tuple(
            replica_from_wire(f"{path}.replicas[{i}]", replica)
            for i, replica in enumerate(observation.replicas)
        ),
        lead_times=tuple(
            start_from_wire(f"{path}.lead_times[{i}]", sample, catalogue)
            for i, sample in enumerate(observation.lead_times)
        ),
        unknown_vms=_unknown_vms_from_wire(f"{path}.unknown_vms", observation.unknown_vms),
        agent_paused=observation.agent_paused,
        laws=tuple(
            law_from_wire(
                law, known_pool(required(f"{path}.laws[{i}]", law, "pool"), law.pool, catalogue)
            )
            for i, law in enumerate(observation.laws)
        ),
        batch_backlog=known_backlogs(
            f"{path}.batch_backlog", observation.batch_backlog, region, observed_at, catalogue
        ),
    )


def fleet_to_wire(
    fleet: Fleet, etags: Mapping[PoolKey, str], holds: Iterable[RegionHold] = ()
) -> fleet_pb2.GetFleetResponse:
    """The fleet, each pool with the etag that an order for it may carry, and who speaks for it."""
    return fleet_pb2.GetFleetResponse(
        at=instant_to_wire(fleet.at),
        pools=[
            fleet_pb2.PoolState(
                observation=observed_to_wire(state.observation),
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
        holds=[hold_to_wire(hold) for hold in holds],
        reports=[_report_to_wire(report, fleet.batch_backlog) for report in fleet.reports],
    )


def fleet_from_wire(response: fleet_pb2.GetFleetResponse) -> Fleet:
    """The fleet; refitted laws are not part of it. Raises InvalidInput."""
    reports = tuple(
        _report_from_wire(f"reports[{i}]", report) for i, report in enumerate(response.reports)
    )
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
        batch_backlog=tuple(
            backlog_from_wire(
                f"reports[{i}].batch_backlog[{j}]", backlog, report.region, report.observed_at
            )
            for i, report in enumerate(reports)
            for j, backlog in enumerate(response.reports[i].batch_backlog)
        ),
        reports=reports,
    )


def holds_from_wire(response: fleet_pb2.GetFleetResponse) -> tuple[RegionHold, ...]:
    """Who speaks for which region. Raises InvalidInput."""
    return tuple(hold_from_wire(f"holds[{i}]", hold) for i, hold in enumerate(response.holds))


def etags_from_wire(response: fleet_pb2.GetFleetResponse) -> dict[PoolKey, str]:
    """The pools' etags. Raises InvalidInput."""
    return {
        pool_from_wire(f"pools[{i}].observation.pool", state.observation.pool): state.etag
        for i, state in enumerate(response.pools)
    }


def _state_from_wire(path: str, state: fleet_pb2.PoolState) -> PoolState:
    return PoolState(
        observation=observed_from_wire(required(path, state, "observation"), state.observation),
        observed_at=instant_from_wire(f"{path}.observed_at", state.observed_at)
        if state.HasField("observed_at")
        else None,
        signal=SIGNAL.from_wire(f"{path}.signal", state.signal),
    )


def _report_to_wire(
    report: RegionReport, backlogs: Iterable[BatchBacklog]
) -> fleet_pb2.RegionReport:
    return fleet_pb2.RegionReport(
        region=report.region,
        observed_at=instant_to_wire(report.observed_at),
        unknown_vms=report.unknown_vms,
        batch_backlog=[
            backlog_to_wire(backlog) for backlog in backlogs if backlog.region == report.region
        ],
    )


def _report_from_wire(path: str, report: fleet_pb2.RegionReport) -> RegionReport:
    return RegionReport(
        region=RegionName(required_text(f"{path}.region", report.region)),
        observed_at=instant_from_wire(required(path, report, "observed_at"), report.observed_at),
        unknown_vms=_unknown_vms_from_wire(f"{path}.unknown_vms", report.unknown_vms),
    )


def _unknown_vms_from_wire(path: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(required_text(f"{path}[{i}]", name) for i, name in enumerate(names))


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
