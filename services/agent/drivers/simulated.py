"""A simulated region for trying out an agent: initially empty, gone when the process ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from numpy.random import SeedSequence

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import RegionName
from heliostat.ports.cloud import CloudDriver
from services.agent.drivers.vm.cloud import EngineReading
from simulation.driver import SimulatedDriver, address_of
from simulation.region import SimulatedRegion
from simulation.replica import Stage


def simulated_driver(
    region: RegionName, catalogue: FleetCatalogue, seeds: SeedSequence
) -> CloudDriver:
    """The simulator's driver on a region of its own, with the catalogue's quotas and lead times."""
    return SimulatedDriver(SimulatedRegion(region=region, catalogue=catalogue, seeds=seeds))


def simulated_readings(region: SimulatedRegion) -> Mapping[str, EngineReading]:
    """What the region's engines say of themselves, by address: each ready replica its share of its pool's
    gauge. A region whose load nobody simulates measures nothing."""
    ready = [replica for replica in region.replicas() if replica.stage is Stage.READY]
    counts = Counter(replica.pool for replica in ready)
    readings = {}
    for replica in ready:
        gauge = region.load.gauge(replica.pool)
        if gauge is not None:
            share = 1.0 / counts[replica.pool]
            readings[address_of(replica)] = EngineReading(
                healthy=True,
                running_requests=round(gauge.running_requests * share),
                waiting_requests=round(gauge.waiting_requests * share),
                kv_occupancy=gauge.kv_occupancy,
            )
    return readings
