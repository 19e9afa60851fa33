"""What an operator sets: a YAML file and environment variables, checked before anything starts."""

from __future__ import annotations

import ipaddress
import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from heliostat.errors import InvalidSettings

ENV_PREFIX = "HELIOSTAT_"
ENV_DELIMITER = "__"


def _seconds(value: Any) -> Any:
    """A number in the environment is text; it means seconds all the same."""
    if isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return float(value)
    return value


Positive = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]
"""A length of time: seconds, or ISO 8601 like PT15M."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsSettings(_Section):
    """Certificates in PEM files; changed files are taken up without a restart."""

    certificate: Path
    """The server's certificate chain."""
    key: Path
    """Its private key."""
    client_ca: Path
    """Who signs the clients' certificates."""

    @field_validator("certificate", "key", "client_ca")
    @classmethod
    def _exists(cls, path: Path) -> Path:
        if not path.is_file():
            raise ValueError(f"{path} is not a file")
        return path


class CadenceSettings(_Section):
    """How often the leader does what."""

    refresh: Positive = timedelta(minutes=15)
    """Forecast refresh, followed by planning."""
    selection_hour_utc: Annotated[int, Field(ge=0, le=23)] = 3
    """Hour of the nightly champion selection."""
    reroute: Positive = timedelta(seconds=30)
    settle: Positive = timedelta(seconds=30)
    score: Positive = timedelta(hours=1)
    housekeep: Positive = timedelta(hours=1)


class ControlPlaneSettings(BaseSettings):
    """All settings of `heliostat serve`, each with a default that works on one machine."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        extra="forbid",
        frozen=True,
    )

    listen: str = "127.0.0.1:7443"
    """host:port for gRPC; port 0 = any free one."""
    advertise: str = ""
    """Where followers send callers to when this one leads; empty = `listen`."""
    name: str = Field(default_factory=socket.gethostname)
    """This control plane's name, unique among those on one database."""
    database: str = "sqlite:///heliostat.db"
    """SQLAlchemy URL (sqlite or postgresql+psycopg), or "memory" to forget everything at the end."""
    catalogue: Path = Path("deploy/catalogue.yaml")
    """The fleet catalogue."""
    tls: TlsSettings | None = None
    """Absent = plain text, which is allowed on loopback only."""
    allow_insecure: bool = False
    """True = plain text also beyond loopback: everybody who reaches the port is admin."""
    metrics_listen: str = "127.0.0.1:9464"
    """host:port for Prometheus; empty = none."""
    lease: Positive = timedelta(seconds=15)
    """How long leadership lasts without renewal."""
    command_lease: Positive = timedelta(seconds=30)
    """How long an agent holds a command after its stream broke."""
    cadence: CadenceSettings = CadenceSettings()
    scheduled: bool = True
    """False = somebody else calls the ticks (the demo's coordinator)."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Forecast worker processes; 0 = one per core."""
    forecast_family: Annotated[str, Field(pattern="^(fast|full)$")] = "full"
    """"fast" leaves out the methods that take seconds to fit."""
    readers: Annotated[int, Field(ge=1, le=64)] = 4
    """Threads that read the store."""
    max_message_bytes: Annotated[int, Field(ge=65_536)] = 8 * 1024 * 1024
    """Largest message taken in."""
    usage_ahead: Positive = timedelta(minutes=5)
    """How far in the future a usage window may lie."""
    usage_behind: Positive = timedelta(days=400)
    """How far in the past a usage window may lie."""
    shutdown_grace: Positive = timedelta(seconds=10)
    """How long open calls may finish when the process ends."""
    log_level: Annotated[str, Field(pattern="(?i)^(debug|info|warning|error)$")] = "info"

    @field_validator("listen", "metrics_listen", "advertise")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        if address:
            split_address(address)
        return address

    @model_validator(mode="after")
    def _secure(self) -> ControlPlaneSettings:
        if self.tls is None and not self.allow_insecure and not self.loopback:
            raise ValueError(
                f"listen: {self.listen} is reachable from outside and tls is not set; "
                "set tls, or allow_insecure where the network itself is trusted"
            )
        return self

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach the port."""
        return is_loopback(split_address(self.listen)[0])

    @property
    def advertised(self) -> str:
        """Where callers reach this control plane."""
        return self.advertise or self.listen


def load_settings(path: Path | None = None, **given: Any) -> ControlPlaneSettings:
    """What is given (command line) over the environment over the YAML file over the defaults.

    Raises InvalidSettings naming the key, its environment variable and the file.
    """
    mapping = _mapping(path)

    class FromFile(ControlPlaneSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, mapping)

    try:
        return FromFile(**given)
    except ValidationError as error:
        raise _named(error, path) from None
    except SettingsError as error:
        raise InvalidSettings("environment", str(error)) from None


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`. Raises ValueError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """True for addresses that only this machine reaches."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _mapping(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise InvalidSettings(str(path), f"cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise InvalidSettings(str(path), f"is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise InvalidSettings(str(path), "is not a mapping of keys")
    return content


def _named(error: ValidationError, path: Path | None) -> InvalidSettings:
    """The first complaint, in terms of key and environment variable."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if not key:
        return InvalidSettings("settings", message)
    variable = ENV_PREFIX + key.replace(".", ENV_DELIMITER).upper()
    place = f" in {path}" if path else ""
    shown = first.get("input")
    value = f" (is {shown!r})" if isinstance(shown, str | int | float | bool) else ""
    return InvalidSettings(
        f"{key} ({variable})", f"{message}{value}", remedy=f"set it{place} or there"
    )
