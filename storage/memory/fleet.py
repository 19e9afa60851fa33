"""The fleet log in memory."""

from __future__ import annotations

from bisect import bisect_left, insort
from datetime import datetime, timedelta
from threading import RLock

from heliostat.errors import RegionHeld
from heliostat.model.fleet import (
    CapacityDenial,
    Fleet,
    LeadTimeSample,
    RegionObservation,
    is_ahead,
)
from heliostat.model.holding import AgentLife, RegionHold, claimed, standing
from heliostat.model.names import PoolKey, RegionName, VmTypeName
from storage.observed import fleet_of


class MemoryFleet:
    """Keeps `FleetLog`'s promise in dictionaries."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._newest: dict[RegionName, RegionObservation] = {}
        self._denials: dict[tuple[RegionName, VmTypeName], CapacityDenial] = {}
        self._holds: dict[RegionName, RegionHold] = {}
        self._lead_times: set[LeadTimeSample] = set()
        self._by_age: list[LeadTimeSample] = []

    def observe(self, observation: RegionObservation, now: datetime) -> bool:
        with self._lock:
            for sample in observation.lead_times:
                if sample not in self._lead_times:
                    self._lead_times.add(sample)
                    insort(self._by_age, sample, key=_age)
            before = self._newest.get(observation.region)
            newer = before is None or observation.observed_at > before.observed_at
            if newer or (before is not None and is_ahead(before.observed_at, now)):
                self._newest[observation.region] = observation
                return True
            return False

    def fleet(self, now: datetime) -> Fleet:
        with self._lock:
            return fleet_of(self._newest.values(), self._denials.values(), now)

    def observation(self, region: RegionName) -> RegionObservation | None:
        return self._newest.get(region)

    def claim(
        self, region: RegionName, agent: AgentLife, now: datetime, lease: timedelta
    ) -> RegionHold:
        with self._lock:
            before = self._holds.get(region)
            try:
                hold = self._holds[region] = claimed(before, region, agent, now, lease)
            except RegionHeld:
                stands = standing(before, now, lease)
                assert stands is not None
                self._holds[region] = stands
                raise
            return hold

    def hold(self, region: RegionName) -> RegionHold | None:
        return self._holds.get(region)

    def standing_hold(
        self, region: RegionName, now: datetime, lease: timedelta
    ) -> RegionHold | None:
        with self._lock:
            stands = standing(self._holds.get(region), now, lease)
            if stands is not None:
                self._holds[region] = stands
            return stands

    def deny(self, denial: CapacityDenial, now: datetime) -> None:
        with self._lock:
            self._denials = {
                place: d for place, d in self._denials.items() if not is_ahead(d.at, now)
            }
            place = (denial.region, denial.vm_type)
            before = self._denials.get(place)
            if before is None or before.at <= denial.at:
                self._denials[place] = denial

    def lead_times(self, since: datetime) -> tuple[LeadTimeSample, ...]:
        with self._lock:
            first = bisect_left(self._by_age, since, key=lambda sample: sample.ready_at)
            return tuple(self._by_age[first:])

    def prune(self, ready_before: datetime) -> int:
        with self._lock:
            first = bisect_left(self._by_age, ready_before, key=lambda sample: sample.ready_at)
            self._lead_times.difference_update(self._by_age[:first])
            del self._by_age[:first]
            return first


def _age(sample: LeadTimeSample) -> tuple[datetime, PoolKey]:
    return sample.ready_at, sample.pool
