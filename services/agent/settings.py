"""What an operator sets for one region's agent: a YAML file and HELIOSTAT_AGENT_… variables."""

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
ORDERS = (
    *("on-time", "fcfs", "sjf", "edf", "pf", "dpa", "least-slack", "qlm"),
    *("annealing", "heliostat", "random-walk"),
)
"""Named here too: whoever reads settings need not load what searches are compiled with."""


class DriverKind(StrEnum):
    """Whose VMs the agent handles."""

    SIMULATED = "simulated"
    """A region that lives and dies with the process: for trying things out."""
    AWS = "aws"


class TlsSettings(Section):
    """The agent's certificate (its URI names role, region and agent), in PEM files."""

    ca: ExistingFile
    """Who signs the control plane's certificate."""
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
                f"{text!r} cannot be filled in ({type(error).__name__}: {error}); it may name {known}, "
                "other braces are written twice: {{ }}"
            ) from error
        return text

    return AfterValidator(check)


class AwsSettings(Section):
    """One AWS region; credentials come from the usual chain."""

    region_name: str = ""
    """AWS's name of the region; required for the aws driver."""
    endpoint_url: str | None = None
    """Another endpoint than Amazon's (tests)."""
    engine_address: Annotated[str, _filled_with("private_ip", "instance_id", "model")] = (
        "{private_ip}:8000"
    )
    """Where a VM's engine listens: {private_ip}, {instance_id}, {model}."""
    redeploy_document: str = "AWS-RunShellScript"
    redeploy_command: Annotated[str, _filled_with("model", "vm_type")] = (
        "/opt/heliostat/serve-model {model}"
    )
    """Must end in serving that model however often it is run: {model}, {vm_type}; braces of its own are
    written twice."""


class DriverSettings(Section):
    """How the driver works, on whatever cloud."""

    chunk_size: Annotated[int, Field(ge=1, le=100)] = 10
    """Most VMs in one purchase."""
    repairs: Annotated[int, Field(ge=0)] = 3
    weights_on_disk: bool = True
    visibility: Positive = timedelta(minutes=3)
    start: Positive = timedelta(minutes=45)
    unhealthy: Positive = timedelta(minutes=1)
    drain_settle: Positive = timedelta(seconds=30)
    drain: Positive = timedelta(minutes=10)


class ProbeSettings(Section):
    """How engines are looked at."""

    timeout: Positive = timedelta(seconds=2)
    check_model: bool = False
    """True = ready only when /v1/models names the model."""
    parallel: Annotated[int, Field(ge=1, le=256)] = 16


Share = Annotated[float, Field(gt=0, le=1)]


class DispatchSettings(Section):
    """How single requests are placed (docs/dispatch.md)."""

    enabled: bool = True
    """False = the door does not serve DispatchService."""
    stale_after: Positive = timedelta(seconds=30)
    """A replica's signals are trusted for so long; engines are looked at every tick."""
    least_fresh_share: Share = 0.5
    """With fewer ready replicas fresh, a model's requests are placed in turn."""
    memory_share: Share = HOUSE.memory_share
    """How much of a replica's KV memory predicted ends may fill (Aladdin's θ)."""
    time_margin: Annotated[float, Field(ge=0, lt=10)] = HOUSE.time
    """Times by the laws are taken this share longer, beside the laws' own error."""
    foresight: Annotated[float, Field(ge=0, le=1)] = HOUSE.foresight
    """Of the tokens that a running request should generate still, the share that may make up for a
    stall. Aladdin counts on all of them, which breaks promises to those who end sooner
    (docs/evidence/aladdin.md)."""
    spread_beyond: Annotated[float, Field(ge=0)] = HOUSE.spread_beyond
    """A request whose promised gap is more than so many iterations of an idle replica goes to the
    emptiest replica that fits, others to the fullest; infinity (`.inf`) always packs, as Aladdin does."""
    rebalance: bool = True
    """New requests leave replicas where outputs ran past predictions for those where they were shorter,
    as far as every promise holds there (Aladdin's step 4)."""
    shortest_lease: Positive = timedelta(minutes=1)
    lease_factor: Annotated[float, Field(ge=1, le=1000)] = 3.0
    """A lease lasts so many times as long as the request should take."""
    longest_hold: Positive = timedelta(seconds=30)
    """Interactive requests wait for a place at most so long, and never longer than their TTFT promise."""
    order: Annotated[str, Field(pattern=f"^({'|'.join(ORDERS)})$")] = "on-time"
    """In which order those are tried who wait in memory: an ordering of `scheduling/ordering/registry.py`
    (docs/decisions/0016). `pf` is the stricter tier first, then as they came."""
    most_held: Annotated[int, Field(ge=0)] = 20_000
    one_batch_below: Share = 0.6
    """A replica used less than this takes one batch request a feeding (SageServe)."""
    two_batch_below: Share = 0.5
    """And less than this two."""
    promoted_after: Positive = timedelta(hours=10)
    """Batch requests that waited so long go like interactive ones."""
    promoted_before_due: Positive = timedelta(minutes=30)
    """So do those that are due within this time."""
    most_batch_waiting: Annotated[int, Field(ge=0)] = 1_000_000
    beat: Positive = timedelta(milliseconds=100)
    """How often leases are looked at, and who waits is tried again."""
    feed: Positive = timedelta(seconds=1)
    """How often replicas with room to spare take batch requests."""

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
    """Which region of the catalogue this agent works in."""
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
    """Set it where no gateway reports: usage is read off the engines and booked to this tier."""
    tick: Positive = timedelta(seconds=10)
    """How often the agent works, observes and counts."""
    local_listen: OptionalAddress = "127.0.0.1:7444"
    """host:port for this region's gateways; empty = none."""
    local_tls: ServerTlsSettings | None = None
    """Certificates of the door for gateways, who then show theirs; absent = plain text, on loopback only."""
    metrics_listen: OptionalAddress = "127.0.0.1:9465"
    """host:port for Prometheus, in plain text also beyond loopback (docs/wire.md); empty = none."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Chance of back-off and of the simulated region; 0 = from the operating system."""
    shutdown_grace: Positive = timedelta(seconds=10)
    """How long a tick and open calls may finish when the process ends."""
    log_level: LogLevel = "info"

    @model_validator(mode="after")
    def _whole(self) -> AgentSettings:
        if self.driver is DriverKind.AWS and not self.aws.region_name:
            raise ValueError("aws.region_name: the aws driver needs AWS's name of the region")
        if self.dispatch.enabled and self.dispatch.stale_after <= self.tick:
            raise ValueError(
                f"dispatch.stale_after: {self.dispatch.stale_after} is no longer than tick "
                f"({self.tick}), so that signals are too old before the next look; set it above two ticks"
            )
        if self.allow_insecure:
            return self
        for key, address, wanted in self._plain_text():
            if address and not is_loopback(address):
                raise ValueError(
                    f"{key}: {address} is beyond this machine and would be plain text; set {wanted}, "
                    "or allow_insecure where the network itself is trusted"
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
