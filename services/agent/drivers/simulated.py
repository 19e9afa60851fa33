"""A region that does not exist, for trying an agent out: it is empty at first and ends with the process."""

from __future__ import annotations

from numpy.random import SeedSequence

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import RegionName
from heliostat.ports.cloud import CloudDriver
from simulation.driver import SimulatedDriver
from simulation.region import SimulatedRegion


def simulated_driver(
    region: RegionName, catalogue: FleetCatalogue, seeds: SeedSequence
) -> CloudDriver:
    """The simulator's driver on a region of its own, with the catalogue's quotas and lead times."""
    return SimulatedDriver(SimulatedRegion(region=region, catalogue=catalogue, seeds=seeds))
