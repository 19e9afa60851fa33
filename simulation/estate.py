"""Everything physical: the clouds of all regions, the engine that serves on them, and the meters.

It knows nothing of plans. A simulated world moves it step by step, and so does a demo in which real
agents hold the drivers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import PoolKey, RegionName, Tier, VmTypeName
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import WINDOW, UsageSeries
from simulation.chance import component
from simulation.engine import EngineModel, ReplicaChange
from simulation.meter import RegionMeter
from simulation.region import SimulatedRegion
from simulation.stage_ledger import StageSeconds
from simulation.troubles import CloudTroubles


class Estate:
    """Regions, engine and meters of one fleet; one caller at a time."""

    def __init__(
        self,
        *,
        catalogue: FleetCatalogue,
        engine: EngineModel,
        seed: int,
        troubles: Mapping[RegionName, CloudTroubles] | None = None,
        warm_vms: Mapping[VmTypeName, int] | None = None,
        lends: bool = False,
    ) -> None:
        self.catalogue = catalogue
        self.engine = engine
        self._counted_at: datetime | None = None
        self._counted = StageSeconds()
        troubles = troubles or {}
        calm = CloudTroubles()
        self.regions = {
            region.name: SimulatedRegion(
                region=region.name,
                catalogue=catalogue,
                seeds=component(seed, "region", region.name),
                troubles=troubles.get(region.name, calm),
                load=engine,
                warm_vms=warm_vms,
                lends=lends,
            )
            for region in catalogue.regions
        }
        self.meters = {
            region.name: RegionMeter(
                quiet_series=_quiet_series(catalogue, region.name),
                troubles=troubles.get(region.name, calm),
            )
            for region in catalogue.regions
        }

    def stand(self, replicas: Mapping[PoolKey, int], now: datetime) -> None:
        """Let these replicas stand ready, as the same start for every policy."""
        for pool in sorted(replicas):
            self.regions[pool.region].stand(pool, replicas[pool], now)

    def serve(self, start: datetime, tables: Mapping[RegionName, RoutingTable]) -> None:
        """Let one step of the engine happen from `start`: clouds move on, requests are served, and
        metered where a minute ends.

        `tables` are those in force at the gateways of each origin. Raises InvalidInput when the
        workload does not cover the step.
        """
        if start not in self.engine.span:
            raise InvalidInput("arrivals", f"no data for {start.isoformat()}")
        span = Span(start, start + self.engine.step)
        windows = self.engine.serve(span, changes=self._changes(span.end), tables=tables)
        minute = floor_to(start, WINDOW)
        if span.end == minute + WINDOW:
            for name, meter in self.meters.items():
                meter.close(
                    minute,
                    (window for window in windows if window.series.origin == name),
                    silent=not self.engine.known(name, minute),
                )

    def serve_minute(self, start: datetime, tables: Mapping[RegionName, RoutingTable]) -> None:
        """Let the minute from `start` happen under one set of tables, step by step."""
        for at in Span(start, start + WINDOW).steps(self.engine.step):
            self.serve(at, tables)

    def _changes(self, until: datetime) -> list[ReplicaChange]:
        """What befell the replicas of all regions up to and including `until`, in order of time."""
        found: list[ReplicaChange] = []
        for region in self.regions.values():
            region.advance(until)
            found += region.take_changes()
        return sorted(found, key=lambda change: change.at)

    def stage_seconds(self, now: datetime) -> StageSeconds:
        """Replica-seconds per (pool, stage) of all regions until `now`; moves the clouds on."""
        if self._counted_at != now:
            self._counted_at, self._counted = now, StageSeconds()
            for region in self.regions.values():
                self._counted.update(region.stage_seconds(now))
        return self._counted


def _quiet_series(catalogue: FleetCatalogue, region: RegionName) -> UsageSeries:
    model = catalogue.models[0]
    tier = model.tiers[0].tier if model.tiers else Tier.INTERACTIVE_FAST
    return UsageSeries(origin=region, serving=region, model=model.name, tier=tier)
