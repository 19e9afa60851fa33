"""Settings of the control plane: a YAML file and environment variables, validated before anything starts."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from heliostat.loops.retention import Retention
from heliostat.loops.situation import SituationSettings
from heliostat.model.names import RegionName
from planning.house_policies import CAREFUL, HOUSE_POLICIES
from services.addresses import is_loopback, with_port
from services.configuration import (
    ENV_DELIMITER,
    Address,
    LogLevel,
    Name,
    OptionalAddress,
    OptionalTarget,
    Positive,
    Section,
    ServerTlsSettings,
    load,
)
from services.messages import MAX_MESSAGE_BYTES

ENV_PREFIX = "HELIOSTAT_"


class CadenceSettings(Section):
    """Intervals of the leader's tasks."""

    refresh: Positive = timedelta(minutes=15)
    """Forecast refresh, followed by planning."""
    selection_hour_utc: Annotated[int, Field(ge=0, le=23)] = 3
    """Hour of the nightly champion selection."""
    reroute: Positive = timedelta(seconds=30)
    settle: Positive = timedelta(seconds=30)
    score: Positive = timedelta(hours=1)
    housekeep: Positive = timedelta(hours=1)


_KEEP = Retention()


class KeepSettings(Section):
    """Retention of decisions and their outcomes; records in force are kept whatever their age."""

    plans: Positive = _KEEP.plans
    commands: Positive = _KEEP.commands
    routing_tables: Positive = _KEEP.routing_tables
    routing_acks: Positive = _KEEP.routing_acks
    """A gateway not heard from for this long is no longer listed."""
    audit: Positive = _KEEP.audit
    lead_times: Annotated[Positive, Field(ge=SituationSettings().lead_time_memory)] = (
        _KEEP.lead_times
    )
    """At least as long as plans look back."""

    def retention(self) -> Retention:
        """The whole retention, with the periods that cannot be set."""
        return replace(_KEEP, **{name: getattr(self, name) for name in KeepSettings.model_fields})


class ControlPlaneSettings(BaseSettings):
    """All settings of `heliostat serve`, each with a default that works on one machine."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        extra="forbid",
        frozen=True,
    )

    listen: Address = "127.0.0.1:7443"
    """host:port for gRPC; port 0 = any free one."""
    advertise: OptionalTarget = ""
    """Address to which followers refer callers when this one leads; empty = `listen` with its actual port."""
    name: Name = Field(default_factory=socket.gethostname)
    """This control plane's name in logs and in the lease."""
    database: str = "sqlite:///heliostat.db"
    """SQLAlchemy URL (sqlite or postgresql+psycopg), or "memory" to keep nothing."""
    catalogue: Path = Path("deploy/catalogue.yaml")
    """The fleet catalogue."""
    tls: ServerTlsSettings | None = None
    """Absent = plain text, which is allowed on loopback only."""
    allow_insecure: bool = False
    """True = plain text also beyond loopback: every caller of the port is admin."""
    metrics_listen: OptionalAddress = "127.0.0.1:9464"
    """host:port for Prometheus, in plain text also beyond loopback, since scrapers are elsewhere and change
    nothing (docs/hardening.md); empty = none."""
    page_listen: OptionalAddress = "127.0.0.1:8321"
    """host:port for the web page, which is read-only and shows everything; empty = none."""
    page_allow_insecure: bool = False
    """True = the page also beyond loopback, readable in plain text by every caller of the port."""
    lease: Positive = timedelta(seconds=15)
    """How long leadership lasts without renewal."""
    command_lease: Positive = timedelta(seconds=30)
    """How long an agent holds a command after its stream broke."""
    cadence: CadenceSettings = CadenceSettings()
    keep: KeepSettings = KeepSettings()
    scheduled: bool = True
    """False = ticks are called from outside (by the demo's coordinator)."""
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """Forecast worker processes; 0 = one per core."""
    policy: Annotated[str, Field(pattern=f"^({'|'.join(HOUSE_POLICIES)})$")] = CAREFUL
    """How it plans and routes, by the name that `heliostat simulate --policy` knows it by."""
    headroom: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None
    """The policy's headroom, as `heliostat simulate --headroom` takes it; absent = the policy's usual one."""
    served_by: Annotated[str, Field(pattern="^(planner|placement)$")] = "planner"
    """What a replica is assumed to serve: by the planner's own law, or by `placement` with its margins,
    for regions whose agents dispatch."""
    forecast_family: Annotated[str, Field(pattern="^(fast|full)$")] = "full"
    """"fast" omits the methods that take seconds to fit."""
    holidays: frozenset[date] = frozenset()
    """Dates that are forecast as days off, in every region by its own clock."""
    region_holidays: dict[RegionName, frozenset[date]] = Field(default_factory=dict)
    """Dates that are days off in one region only, by the catalogue's name of it."""
    readers: Annotated[int, Field(ge=1, le=64)] = 4
    """Threads that read the store."""
    max_message_bytes: Annotated[int, Field(ge=65_536, le=1024**3)] = MAX_MESSAGE_BYTES
    """Largest accepted message, at most 1 GiB."""
    usage_ahead: Positive = timedelta(minutes=5)
    """How far in the future a usage window may lie."""
    usage_behind: Positive = timedelta(days=400)
    """How far in the past a usage window may lie."""
    shutdown_grace: Positive = timedelta(seconds=10)
    """How long a running tick and open calls may take to finish at shutdown; a tick that takes longer is
    abandoned and cannot write."""
    log_level: LogLevel = "info"

    @model_validator(mode="after")
    def _secure(self) -> ControlPlaneSettings:
        if self.tls is None and not self.allow_insecure and not self.loopback:
            raise ValueError(
                f"listen: {self.listen} is reachable from outside and tls is not set; "
                "set tls, or allow_insecure on a trusted network"
            )
        if self.page_listen and not self.page_allow_insecure and not is_loopback(self.page_listen):
            raise ValueError(
                f"page_listen: {self.page_listen} is reachable from outside, and the page has no "
                "authentication; use an authenticating proxy before loopback, or set page_allow_insecure"
            )
        return self

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach the port."""
        return is_loopback(self.listen)

    def advertised(self, port: int) -> str:
        """Where callers reach this control plane, which listens on this port."""
        return self.advertise or with_port(self.listen, port)


def load_settings(path: Path | None = None, **given: Any) -> ControlPlaneSettings:
    """What is given (command line) over the environment over the YAML file over the defaults.

    Raises InvalidSettings naming the key, its environment variable and the file.
    """
    return load(ControlPlaneSettings, path, **given)
