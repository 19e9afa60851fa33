"""Settings of one region's agent: a YAML file and HELIOSTAT_AGENT_… variables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from heliostat.model.names import Tier
from scheduling.placement.margins import HOUSE
from scheduling.sageserve import BatchAdmission
from services.addresses import is_loopback
from services.configuration import (
    ENV_DELIMITER,
    ExistingFile,
    LogLevel,
    Name,
    OptionalAddress,
    Positive,
    Section,
    ServerTlsSettings,
    Target,
    load,
)

ENV_PREFIX = "HELIOSTAT_AGENT_"
_DATA_DIR = Path("agent-data")
_SAGESERVE = BatchAdmission()
ORDERS = (
    *("on-time", "fcfs", "sjf", "edf", "pf", "dpa", "least-slack", "qlm"),
    *("annealing", "heliostat", "random-walk"),
)
"""Repeated here so that reading settings does not load the compiled searches."""


class DriverKind(StrEnum):
    """The cloud whose VMs the agent manages."""

    SIMULATED = "simulated"
    """A region that exists only while the process runs, for trying things out."""
    AWS = "aws"


class TlsSettings(Section):
    """The agent's certificate (its URI names role, region and agent), in PEM files."""

    ca: ExistingFile
    """The CA of the control plane's certificate."""
    certificate: ExistingFile
    key: ExistingFile


def _filled_with(*names: str) -> AfterValidator:
    """A text that can be filled with a value for each of these names, and with nothing else."""

    def check(text: str) -> str:
        try:
            text.format(**dict.fromkeys(names, "x"))
        except (LookupError, ValueError, AttributeError) as error:
            known = ", ".join(f"{{{name}}}" for name in names)
            raise ValueError(
                f"{text!r} cannot be filled in ({type(error).__name__}: {error}); allowed names are {known}, "
                "other braces must be doubled: {{ }}"
            ) from error
        return text

    return AfterValidator(check)


class AwsSettings(Section):
    """One AWS region; credentials come from the usual chain."""

    region_name: str = ""
    """AWS's name of the region; required for the aws driver."""
    endpoint_url: str | None = None
    """Overrides Amazon's endpoint (for tests)."""
    engine_address: Annotated[str, _filled_with("private_ip", "instance_id", "model")] = (
        "{private_ip}:8000"
    )
    """Where a VM's engine listens: {private_ip}, {instance_id}, {model}."""
    redeploy_document: str = "AWS-RunShellScript"
    redeploy_command: Annotated[str, _filled_with("model", "vm_type")] = (
        "/opt/heliostat/serve-model {model}"
    )
    """Must result in serving that model however often it is run: {model}, {vm_type}; other braces are
    doubled."""


class DriverSettings(Section):
    """Driver settings, for every cloud."""

    chunk_size: Annotated[int, Field(ge=1, le=100)] = 10
    """Maximum VMs per purchase."""
    repairs: Annotated[int, Field(ge=0)] = 3
    weights_on_disk: bool = True
    visibility: Positive = timedelta(minutes=3)
    start: Positive = timedelta(minutes=45)
    unhealthy: Positive = timedelta(minutes=1)
    drain_settle: Positive = timedelta(seconds=30)
    drain: Positive = timedelta(minutes=10)


class ProbeSettings(Section):
    """How engines are probed."""

    timeout: Positive = timedelta(seconds=2)
    check_model: bool = False
    """True = ready only when /v1/models names the model."""
    parallel: Annotated[int, Field(ge=1, le=256)] = 16


Share = Annotated[float, Field(gt=0, le=1)]


class BacklogReport(StrEnum):
    """Whether the agent reports how many batch requests wait, by what its gateways do."""

    WHEN_USED = "when-used"
    """Once a gateway handed one over, until a day after the last one ended."""
    ALWAYS = "always"
    """Also before: all gateways of the region hand over all batch requests, so an empty queue says that
    nothing waits."""
    NEVER = "never"
    """Some gateways keep batch requests to themselves: what waits here is not all that waits."""


class DispatchSettings(Section):
    """How single requests are placed (docs/dispatch.md)."""

    enabled: bool = True
    """False = DispatchService is not served."""
    stale_after: Positive = timedelta(seconds=30)
    """How long a replica's signals are trusted; engines are probed every tick."""
    least_fresh_share: Share = 0.5
    """With a smaller share of fresh ready replicas, a model's requests are placed round-robin."""
    memory_share: Share = HOUSE.memory_share
    """Share of a replica's KV memory that predicted ends may fill (Aladdin's θ)."""
    time_margin: Annotated[float, Field(ge=0, lt=10)] = HOUSE.time
    """Times are lengthened by this share, in addition to the laws' own error."""
    foresight: Annotated[float, Field(ge=0, le=1)] = HOUSE.foresight
    """Share of a running request's remaining expected tokens that may make up for a stall. Aladdin
    counts on all of them, which breaks promises of requests that end sooner (docs/evidence/aladdin.md)."""
    spread_beyond: Annotated[float, Field(ge=0)] = HOUSE.spread_beyond
    """A request whose promised gap exceeds this many iterations of an idle replica goes to the
    emptiest replica that fits, others to the fullest; infinity (`.inf`) always packs, as Aladdin does."""
    rebalance: bool = True
    """New requests avoid replicas whose outputs exceeded predictions in favour of those where they were
    shorter, if every promise holds there (Aladdin's step 4)."""
    shortest_lease: Positive = timedelta(minutes=1)
    lease_factor: Annotated[float, Field(ge=1, le=1000)] = 3.0
    """A lease lasts this many times the expected duration of the request."""
    longest_hold: Positive = timedelta(seconds=30)
    """Maximum wait of an interactive request for a place; never longer than its TTFT promise."""
    order: Annotated[str, Field(pattern=f"^({'|'.join(ORDERS)})$")] = "on-time"
    """Order in which held requests are tried: an ordering of `scheduling/ordering/registry.py`
    (docs/decisions/0016). `pf` is the stricter tier first, then by arrival."""
    most_held: Annotated[int, Field(ge=0)] = 20_000
    one_batch_below: Share = _SAGESERVE.one_below
    """A replica used less than this takes one batch request per feeding (SageServe)."""
    two_batch_below: Share = _SAGESERVE.two_below
    """A replica used less than this takes two."""
    promoted_after: Positive = _SAGESERVE.promoted_after
    """Batch requests that have waited this long are treated as interactive."""
    promoted_before_due: Positive = timedelta(minutes=30)
    """So are those due within this time."""
    most_batch_waiting: Annotated[int, Field(ge=0)] = 1_000_000
    report_backlog: BacklogReport = BacklogReport.WHEN_USED
    """Whether plans learn how many batch requests wait here (docs/dispatch.md)."""
    beat: Positive = timedelta(milliseconds=100)
    """How often leases are checked and held requests are retried."""
    feed: Positive = timedelta(seconds=1)
    """How often spare replicas take batch requests."""

    @model_validator(mode="after")
    def _ordered(self) -> DispatchSettings:
        if self.two_batch_below > self.one_batch_below:
            raise ValueError("two_batch_below must not lie above one_batch_below")
        return self


class AgentSettings(BaseSettings):
    """All settings of `heliostat agent`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, extra="forbid", frozen=True
    )

    region: str
    """The agent's region in the catalogue."""
    name: Name = "agent"
    """The agent's name in its region; the same after a restart, so that it keeps its leases."""
    control_planes: Annotated[tuple[Target, ...], Field(min_length=1)] = ("127.0.0.1:7443",)
    """host:port of each control plane; followers name the leader."""
    tls: TlsSettings | None = None
    """Absent = plain text, allowed towards loopback only."""
    allow_insecure: bool = False
    """True = plain text also beyond loopback, in both directions."""
    catalogue: Path = Path("deploy/catalogue.yaml")
    data_dir: Path = _DATA_DIR
    """Journal and routing file; a local disk, one directory per agent."""
    power_safe: bool = True
    """False = faster, and the journal may lose its last moments in a power cut (never in kill -9)."""
    driver: DriverKind = DriverKind.SIMULATED
    aws: AwsSettings = AwsSettings()
    driving: DriverSettings = DriverSettings()
    probe: ProbeSettings = ProbeSettings()
    dispatch: DispatchSettings = DispatchSettings()
    engine_usage_tier: Tier | None = None
    """Set this if no gateway reports: usage is read from the engines and booked to this tier."""
    tick: Positive = timedelta(seconds=10)
    """How often the agent works on commands, observes and counts."""
    local_listen: OptionalAddress = "127.0.0.1:7444"
    """host:port for this region's gateways; empty = none."""
    local_tls: ServerTlsSettings | None = None
    """Server certificates; gateways must then present theirs. Absent = plain text, on loopback only."""
    metrics_listen: OptionalAddress = "127.0.0.1:9465"
    """host:port for Prometheus, in plain text also beyond loopback (docs/hardening.md); empty = none."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Random seed of back-off and of the simulated region; 0 = from the operating system."""
    shutdown_grace: Positive = timedelta(seconds=10)
    """How long a running tick and open calls may take to finish at shutdown."""
    log_level: LogLevel = "info"

    @model_validator(mode="after")
    def _whole(self) -> AgentSettings:
        if self.driver is DriverKind.AWS and not self.aws.region_name:
            raise ValueError("aws.region_name: the aws driver needs AWS's name of the region")
        if self.dispatch.enabled and self.dispatch.stale_after <= self.tick:
            raise ValueError(
                f"dispatch.stale_after: {self.dispatch.stale_after} is no longer than tick "
                f"({self.tick}), so signals expire before the next observation; set it above two ticks"
            )
        if self.allow_insecure:
            return self
        for key, address, wanted in self._plain_text():
            if address and not is_loopback(address):
                raise ValueError(
                    f"{key}: {address} is not on this machine and would use plain text; set {wanted}, "
                    "or allow_insecure on a trusted network"
                )
        return self

    def _plain_text(self) -> Iterator[tuple[str, str, str]]:
        """Key, address and the section that would secure it, for all that is not secured."""
        if self.local_tls is None:
            yield "local_listen", self.local_listen, "local_tls"
        if self.tls is None:
            yield from (("control_planes", address, "tls") for address in self.control_planes)

    @property
    def journal_path(self) -> Path:
        """The agent's journal file."""
        return _journal_in(self.data_dir)

    @property
    def routing_path(self) -> Path:
        """The routing file for local gateways."""
        return self.data_dir / "routes.json"


def load_agent_settings(path: Path | None = None, **given: Any) -> AgentSettings:
    """Raises InvalidSettings naming the key, its environment variable and the file."""
    return load(AgentSettings, path, **given)


class _Place(BaseSettings):
    """Where an agent's journal lies, out of settings that need not be whole."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", frozen=True)

    data_dir: Path = _DATA_DIR


def journal_of(path: Path | None = None, **given: Any) -> Path:
    """The journal of the agent with these settings, for who visits it on its machine.

    Raises InvalidSettings when the file cannot be read.
    """
    return _journal_in(load(_Place, path, **given).data_dir)


def _journal_in(data_dir: Path) -> Path:
    return data_dir / "journal.db"
