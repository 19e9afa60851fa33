"""Creates an agent's cloud driver, meter and engine readings from its settings."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from numpy.random import SeedSequence

from heliostat.catalogue import FleetCatalogue
from heliostat.model.names import RegionName
from heliostat.ports.agent import UsageMeter
from heliostat.ports.cloud import CloudDriver
from services.agent.dispatch.sight import Readings, RememberingProber, no_readings
from services.agent.drivers.simulated import simulated_driver
from services.agent.drivers.vm.cloud import VmCloud
from services.agent.drivers.vm.driver import VmDriver
from services.agent.drivers.vm.report import Gauge
from services.agent.drivers.vm.steps import DriverLimits
from services.agent.drivers.vm.survey import Patience
from services.agent.engines import HttpProber
from services.agent.journal.driver_memory import SqliteDriverMemory
from services.agent.journal.file import JournalFile
from services.agent.meter import EngineMeter, SilentMeter
from services.agent.settings import AgentSettings, DriverKind, DriverSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What the agent works with: its driver, what it counts, what engines last said, what to close at the
    end."""

    driver: CloudDriver
    meter: UsageMeter = field(default_factory=SilentMeter)
    readings: Readings = no_readings
    close: Callable[[], None] = lambda: None


HandsOf = Callable[[JournalFile], Hands]
"""Makes the hands once the journal is open; a stepped world gives its own."""


def hands_for(
    settings: AgentSettings, catalogue: FleetCatalogue, clock: Callable[[], datetime]
) -> HandsOf:
    """The hands that the settings name. Raises UnknownRegion."""
    region = catalogue.region(settings.region).name
    if settings.driver is DriverKind.SIMULATED:
        seeds = SeedSequence(settings.seed or None)
        return lambda _: Hands(driver=simulated_driver(region, catalogue, seeds))
    return lambda file: _aws_hands(settings, catalogue, region, clock, file)


def _aws_hands(
    settings: AgentSettings,
    catalogue: FleetCatalogue,
    region: RegionName,
    clock: Callable[[], datetime],
    file: JournalFile,
) -> Hands:
    tier = settings.engine_usage_tier
    meter = None if tier is None else EngineMeter(region=region, tier=tier, clock=clock)
    prober = HttpProber(settings.probe, heard=None if meter is None else meter.heard)
    remembering = RememberingProber(prober)
    driver = VmDriver(
        region=region,
        pools={pool.key: pool for pool in catalogue.pools if pool.key.region == region},
        cloud=_aws_cloud(settings, catalogue, region),
        memory=SqliteDriverMemory(file),
        prober=remembering,
        gauge=Gauge(catalogue),
        new_token=lambda: uuid.uuid4().hex,
        patience=patience_of(settings.driving),
        limits=limits_of(settings.driving),
    )
    return Hands(
        driver=driver,
        meter=meter or SilentMeter(),
        readings=remembering.readings,
        close=prober.close,
    )


def _aws_cloud(settings: AgentSettings, catalogue: FleetCatalogue, region: RegionName) -> VmCloud:
    # Imported here, so that agents on other drivers run without the `aws` extra installed.
    from services.agent.drivers.aws.cloud import AwsCloud, AwsPlace, aws_clients

    aws = settings.aws
    place = AwsPlace(
        region=region,
        templates={p.key: p.template_name for p in catalogue.pools if p.key.region == region},
        engine_address=aws.engine_address,
        redeploy_document=aws.redeploy_document,
        redeploy_command=aws.redeploy_command,
    )
    ec2, ssm = aws_clients(aws.region_name, aws.endpoint_url)
    return AwsCloud(place, ec2=ec2, ssm=ssm)


def patience_of(driving: DriverSettings) -> Patience:
    """How long the driver waits, as it is set."""
    return Patience(
        visibility=driving.visibility,
        start=driving.start,
        unhealthy=driving.unhealthy,
        drain_settle=driving.drain_settle,
        drain=driving.drain,
    )


def limits_of(driving: DriverSettings) -> DriverLimits:
    """How much it does at once, as it is set."""
    return DriverLimits(
        chunk_size=driving.chunk_size,
        repairs=driving.repairs,
        weights_on_disk=driving.weights_on_disk,
    )
