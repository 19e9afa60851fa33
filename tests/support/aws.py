"""Regions of an AWS that is not there: moto behind the fault layer, engines that answer after a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import PoolKey, RegionName
from services.agent.drivers.aws.cloud import AwsCloud, AwsPlace, aws_clients
from services.agent.drivers.vm.cloud import EngineReading
from services.agent.drivers.vm.driver import VmDriver
from services.agent.journal.driver_memory import SqliteDriverMemory
from services.agent.settings import AwsSettings
from tests.builders import a_catalogue, catalogue_mapping
from tests.support.agents import AgentDisk, a_driver
from tests.support.cloud_faults import FaultyCloud, RegionFaults

AWS_DEFAULTS = AwsSettings().model_dump(exclude={"region_name", "endpoint_url"})
AWS_REGIONS = {"east": "us-east-1", "west": "eu-west-1", "far": "ap-northeast-1"}


def three_regions() -> FleetCatalogue:
    """The small catalogue with a third region."""
    mapping = catalogue_mapping()
    mapping["regions"].append({**mapping["regions"][0], "name": "far", "time_zone": "Asia/Tokyo"})
    mapping["round_trip_ms"]["east"]["far"] = 150
    mapping["round_trip_ms"]["west"]["far"] = 150
    mapping["round_trip_ms"]["far"] = {"far": 4}
    return a_catalogue(mapping)


@dataclass
class Engines:
    """EngineProber without HTTP: an engine answers `boot` after it was first asked."""

    now: datetime
    boot: timedelta = timedelta(minutes=2)
    in_flight: int | None = 0
    dead: set[str] = field(default_factory=set)
    _first: dict[tuple[str, PoolKey], datetime] = field(default_factory=dict)

    def probe(self, engines: Mapping[str, PoolKey]) -> Mapping[str, EngineReading]:
        return {address: self._look(address, pool) for address, pool in engines.items()}

    def _look(self, address: str, pool: PoolKey) -> EngineReading:
        first = self._first.setdefault((address, pool), self.now)
        if self.now - first < self.boot or address in self.dead:
            return EngineReading(healthy=False)
        waiting = None if self.in_flight is None else 0
        return EngineReading(
            healthy=True, running_requests=self.in_flight, waiting_requests=waiting
        )


class AwsRegion:
    """One region with its launch templates, its engines and the folder of its agent."""

    def __init__(self, cloud: FaultyCloud, name: str, folder: Path, now: datetime) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = RegionName(name)
        self.catalogue = three_regions()
        self._cloud = cloud
        self.ec2, self.ssm = aws_clients(AWS_REGIONS[name], cloud.url)
        self.engines = Engines(now)
        self.disk = AgentDisk(folder, self.catalogue)
        self.pools = [p.key for p in self.catalogue.pools if p.key.region == name]
        self.templates = {p: f"heliostat-{p.model}-{p.vm_type}" for p in self.pools}
        self.make_templates()

    @property
    def faults(self) -> RegionFaults:
        """What goes wrong here."""
        return self._cloud.faults.region(AWS_REGIONS[self.name])

    def make_templates(self, *pools: PoolKey) -> None:
        """One launch template per pool (all of them when none is named); a reset cloud has none."""
        for template in (self.templates[pool] for pool in pools or self.pools):
            self.ec2.create_launch_template(
                LaunchTemplateName=template,
                LaunchTemplateData={"InstanceType": "p4d.24xlarge", "ImageId": "ami-12c6146b"},
            )

    def cloud(self) -> AwsCloud:
        place = AwsPlace(region=self.name, templates=self.templates, **AWS_DEFAULTS)
        return AwsCloud(place, ec2=self.ec2, ssm=self.ssm)

    def driver(self, **changes: Any) -> VmDriver:
        """The driver that the agent's next life finds."""
        values: dict[str, Any] = {
            "region": self.name,
            "pools": self.pools,
            "prober": self.engines,
        }
        memory = SqliteDriverMemory(self.disk.file(self.engines.now))
        return a_driver(self.cloud(), memory, **(values | changes))

    def standing(self) -> list[str]:
        """Ids of the VMs that are paid for."""
        pages = self.ec2.get_paginator("describe_instances").paginate()
        return [
            instance["InstanceId"]
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] in ("pending", "running")
        ]

    def close(self) -> None:
        self.disk.close()
        self.ec2.close()
        self.ssm.close()
