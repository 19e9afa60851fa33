"""How settings of any process are read: command line over environment over YAML file over defaults."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

from heliostat.errors import InvalidSettings

ENV_DELIMITER = "__"
S = TypeVar("S", bound=BaseSettings)


def _seconds(value: Any) -> Any:
    """A number in the environment is text; it means seconds all the same."""
    if isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return float(value)
    return value


Positive = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]
"""A length of time: seconds, or ISO 8601 like PT15M."""


class Section(BaseModel):
    """A group of settings; keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def load(kind: type[S], path: Path | None = None, **given: Any) -> S:
    """The settings of that kind. Raises InvalidSettings naming the key, its environment variable and
    the file."""
    mapping = {} if path is None else read_mapping(path)

    def sources(
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, mapping)

    from_file: type[S] = type(
        kind.__name__, (kind,), {"settings_customise_sources": staticmethod(sources)}
    )
    try:
        return from_file(**given)
    except ValidationError as error:
        raise _named(error, path, str(kind.model_config.get("env_prefix", ""))) from None
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


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, empty for an empty file. Raises InvalidSettings."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise InvalidSettings(str(path), f"cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise InvalidSettings(str(path), f"is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise InvalidSettings(str(path), "is not a mapping of keys")
    return content


def _named(error: ValidationError, path: Path | None, prefix: str) -> InvalidSettings:
    """The first complaint, in terms of key and environment variable."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if not key:
        return InvalidSettings("settings", message)
    variable = prefix + key.replace(".", ENV_DELIMITER).upper()
    place = f" in {path}" if path else ""
    shown = first.get("input")
    value = f" (is {shown!r})" if isinstance(shown, str | int | float | bool) else ""
    return InvalidSettings(
        f"{key} ({variable})", f"{message}{value}", remedy=f"set it{place} or there"
    )
