"""Everything physical: the clouds of all regions, the engine that serves on them, and the meters.

It knows nothing of plans. A simulated world moves it minute by minute, and so does a demo in which
real agents hold the drivers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.names import PoolKey, RegionName, Tier, VmTypeName
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import WINDOW, UsageSeries
from simulation.arrivals import ArrivalRates
from simulation.chance import component
from simulation.engine import Arrival, EngineModel
from simulation.meter import RegionMeter
from simulation.region import SimulatedRegion
from simulation.replica import Stage
from simulation.stage_ledger import StageSeconds
from simulation.troubles import CloudTroubles


class Estate:
    """Regions, engine and meters of one fleet; one caller at a time."""

    def __init__(
        self,
        *,
        catalogue: FleetCatalogue,
        arrivals: ArrivalRates,
        engine: EngineModel,
        seed: int,
        troubles: Mapping[RegionName, CloudTroubles] | None = None,
        warm_vms: Mapping[VmTypeName, int] | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.arrivals = arrivals
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

    def serve_minute(self, start: datetime, tables: Mapping[RegionName, RoutingTable]) -> None:
        """Let the minute from `start` happen: clouds move on, requests are served and metered.

        `tables` are those in force at the gateways of each origin. Raises InvalidInput when the
        arrivals do not cover the minute.
        """
        if start not in self.arrivals.span:
            raise InvalidInput("arrivals", f"nothing is known of {start.isoformat()}")
        ready = self._ready(start)
        windows = self.engine.serve(
            start,
            arrivals=self._arrivals(start),
            ready_replicas=ready,
            tables=tables,
        )
        for name, meter in self.meters.items():
            meter.close(
                start,
                (window for window in windows if window.series.origin == name),
                silent=self._unknown(name, start),
            )

    def _ready(self, start: datetime) -> dict[PoolKey, float]:
        """Mean ready replicas per pool over the minute from `start`; moves the clouds on."""
        before, after = self.stage_seconds(start), self.stage_seconds(start + WINDOW)
        return {
            pool.key: (after[pool.key, Stage.READY] - before[pool.key, Stage.READY])
            / WINDOW.total_seconds()
            for pool in self.catalogue.pools
        }

    def stage_seconds(self, now: datetime) -> StageSeconds:
        """Replica-seconds per (pool, stage) of all regions until `now`; moves the clouds on."""
        if self._counted_at != now:
            self._counted_at, self._counted = now, StageSeconds()
            for region in self.regions.values():
                self._counted.update(region.stage_seconds(now))
        return self._counted

    def _arrivals(self, start: datetime) -> tuple[Arrival, ...]:
        minute = self.arrivals.minute_of(start)
        return tuple(
            Arrival(
                demand=demand,
                offered=int(column.offered[minute]),
                input_tokens=int(column.input_tokens[minute]),
                output_tokens=int(column.output_tokens[minute]),
            )
            for demand in self.arrivals.demands
            for column in [self.arrivals.by_demand[demand]]
            if column.offered[minute] > 0
        )

    def _unknown(self, origin: RegionName, start: datetime) -> bool:
        minute = self.arrivals.minute_of(start)
        return any(
            bool(np.isnan(column.offered[minute]))
            for demand, column in self.arrivals.by_demand.items()
            if demand.origin == origin
        )


def _quiet_series(catalogue: FleetCatalogue, region: RegionName) -> UsageSeries:
    model = catalogue.models[0]
    tier = model.tiers[0].tier if model.tiers else Tier.INTERACTIVE_FAST
    return UsageSeries(origin=region, serving=region, model=model.name, tier=tier)
