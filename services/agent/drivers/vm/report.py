"""The driver's reports: the progress of an order, and the state of the region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from statistics import fmean

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import NotFound
from heliostat.model.command import CommandProgress
from heliostat.model.fleet import (
    LeadTimeSample,
    PoolObservation,
    RegionObservation,
    ReplicaEndpoint,
)
from heliostat.model.names import PoolKey, RegionName
from services.agent.drivers.vm.cloud import EngineReading
from services.agent.drivers.vm.memory import Intent
from services.agent.drivers.vm.survey import Sighting, Stage, Survey

_SAMPLES_REACH_BACK = timedelta(days=1)


class Gauge:
    """How full one replica is, judged by its own metrics and the catalogue's limits."""

    def __init__(self, catalogue: FleetCatalogue) -> None:
        self._catalogue = catalogue

    def utilisation(self, pool: PoolKey, reading: EngineReading) -> float | None:
        """max(KV occupancy, running ÷ largest batch, queue seconds ÷ tightest TTFT bound) of what the
        engine measures; None when it measures none of them. Engines export no busy time: the share
        of batch slots in use stands in for it."""
        parts = [reading.kv_occupancy]
        try:
            law = self._catalogue.law(pool.model, pool.vm_type)
            bounds = [t.slo.ttft_floor_seconds for t in self._catalogue.model(pool.model).tiers]
        except NotFound:
            pass
        else:
            if reading.running_requests is not None:
                parts.append(reading.running_requests / law.max_batch)
            if reading.queue_seconds is not None and bounds:
                parts.append(reading.queue_seconds / min(bounds))
        measured = [part for part in parts if part is not None]
        return max(measured) if measured else None


def progress_of(intent: Intent, survey: Survey) -> CommandProgress:
    """Replicas of one order in each stage."""
    leaving = {*intent.releases, *intent.moves}
    mine = [
        s
        for s in survey.ours
        if s.record.intent_id == intent.intent_id and s.record.vm_id not in intent.releases
    ]
    stages = Counter(s.stage for s in mine)
    lost = sum(s.stage is Stage.GONE and s.record.broken for s in mine)
    return CommandProgress(
        ordered=sum(chunk.count for chunk in intent.waiting),
        provisioning=stages[Stage.PROVISIONING],
        loading=stages[Stage.LOADING],
        ready=stages[Stage.READY],
        draining=sum(s.record.vm_id in leaving and s.stage is Stage.DRAINING for s in survey.ours),
        released=sum(
            s.record.vm_id in intent.releases and s.stage is Stage.GONE for s in survey.ours
        ),
        failed=stages[Stage.FAILED] + lost,
    )


def observation_of(
    *,
    region: RegionName,
    pools: Iterable[PoolKey],
    survey: Survey,
    newly_seen: Iterable[Sighting],
    desired: Mapping[PoolKey, int],
    gauge: Gauge,
) -> RegionObservation:
    """The region as it stands; every pool of the catalogue appears, also the empty ones."""
    return RegionObservation(
        region=region,
        observed_at=survey.at,
        pools=tuple(_pool(pool, survey, desired, gauge) for pool in pools),
        replicas=tuple(_endpoint(s) for s in survey.ours if _listens(s)),
        lead_times=tuple(
            sample for s in newly_seen if (sample := _lead_time(s, survey)) is not None
        ),
        unknown_vms=tuple(sorted(vm.vm_id for vm in survey.unknown)),
    )


def _pool(
    pool: PoolKey, survey: Survey, desired: Mapping[PoolKey, int], gauge: Gauge
) -> PoolObservation:
    members = [s for s in survey.ours if s.counts_for == pool]
    stages = Counter(_shown_as(s) for s in members)
    ready = [s.reading for s in members if s.stage is Stage.READY and not s.record.moving_to]
    readings = [reading for reading in ready if reading is not None]
    levels = [gauge.utilisation(pool, reading) for reading in readings]
    return PoolObservation(
        pool=pool,
        desired=desired.get(pool, sum(s.stands for s in members)),
        provisioning=stages[Stage.PROVISIONING],
        loading=stages[Stage.LOADING],
        ready=stages[Stage.READY],
        draining=stages[Stage.DRAINING],
        failed=stages[Stage.FAILED],
        running_requests=_sum_if_all([r.running_requests if r else None for r in ready]),
        waiting_requests=_sum_if_all([r.waiting_requests if r else None for r in ready]),
        utilisation=_mean(levels),
        kv_occupancy=_mean([reading.kv_occupancy for reading in readings]),
    )


def _shown_as(sighting: Sighting) -> Stage:
    """A VM that drains on its way to another pool is on its way for that pool: counted once."""
    return Stage.PROVISIONING if sighting.record.moving_to is not None else sighting.stage


def _listens(sighting: Sighting) -> bool:
    served = sighting.stage is Stage.READY or (
        sighting.stage is Stage.DRAINING and sighting.record.ready_at is not None
    )
    return served and bool(sighting.record.address)


def _endpoint(sighting: Sighting) -> ReplicaEndpoint:
    return ReplicaEndpoint(
        replica_id=sighting.record.vm_id,
        pool=sighting.record.pool,
        address=sighting.record.address,
        draining=sighting.stage is Stage.DRAINING,
    )


def _lead_time(sighting: Sighting, survey: Survey) -> LeadTimeSample | None:
    """The start that this VM measured; none for adopted VMs, whose order nobody saw, and none when the
    clock was set back meanwhile."""
    record = sighting.record
    if record.ready_at is None or not record.intent_id or record.ready_at < record.ordered_at:
        return None
    if survey.at - record.ready_at > _SAMPLES_REACH_BACK:
        return None
    return LeadTimeSample(
        pool=record.pool,
        start_kind=record.start_kind,
        lead_time=record.ready_at - record.ordered_at,
        ready_at=record.ready_at,
    )


def _sum_if_all(counts: list[int | None]) -> int | None:
    """The sum when every replica measured it: a part of them would look like less load."""
    measured = [count for count in counts if count is not None]
    return sum(measured) if measured and len(measured) == len(counts) else None


def _mean(levels: Iterable[float | None]) -> float | None:
    measured = [level for level in levels if level is not None]
    return fmean(measured) if measured else None
