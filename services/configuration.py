"""Reads settings of any process: command line over environment over YAML file over defaults."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

from heliostat.errors import InvalidSettings
from services.addresses import check_target, split_address
from services.setting_kinds import json_example, kind_at, section_of
from storage.mapping_file import read_mapping

ENV_DELIMITER = "__"
S = TypeVar("S", bound=BaseSettings)
_UNKNOWN_KEY = "extra_forbidden"
_OTHER_SHAPES = {
    f"{shape}_type" for shape in ("dict", "list", "tuple", "set", "frozen_set", "model")
}
LONGEST = timedelta(days=36_525)
"""A hundred years; what is longer leads out of the calendar."""
LONGEST_NAME = 200


def _seconds(value: Any) -> Any:
    """A number in the environment is text; it means seconds all the same. Yes and no are no lengths."""
    if isinstance(value, bool):
        raise ValueError("is not a length of time")
    if isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return float(value)
    return value


Positive = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0), le=LONGEST)]
"""A length of time: seconds, or ISO 8601 like PT15M; at most a hundred years."""


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("contains unprintable characters")
    return name


def _host_and_port(address: str) -> str:
    split_address(address)
    return address


def _host_and_port_or_none(address: str) -> str:
    return address and _host_and_port(address)


def _target_or_none(address: str) -> str:
    return address and check_target(address)


Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_printable)]
"""Who a process says it is, in logs, leases and keys of the store."""
ExistingFile = Annotated[Path, AfterValidator(_is_file)]
Address = Annotated[str, AfterValidator(_host_and_port)]
"""`host:port` to listen on; port 0 = any free one."""
OptionalAddress = Annotated[str, AfterValidator(_host_and_port_or_none)]
"""The same; empty = none."""
Target = Annotated[str, AfterValidator(check_target), Field(examples=["plane-1:7443"])]
"""`host:port` to call."""
OptionalTarget = Annotated[str, AfterValidator(_target_or_none)]
"""The same; empty = none."""
LogLevel = Annotated[str, Field(pattern="(?i)^(debug|info|warning|error)$")]


class Section(BaseModel):
    """A group of settings; keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerTlsSettings(Section):
    """A server's certificates in PEM files; changed files are taken up without a restart."""

    certificate: ExistingFile
    """The server's certificate chain."""
    key: ExistingFile
    """Its private key."""
    client_ca: ExistingFile
    """Who signs the clients' certificates."""


def load(kind: type[S], path: Path | None = None, **given: Any) -> S:
    """The settings of that kind. Raises InvalidSettings naming the key, its environment variable and
    the file."""
    mapping = {} if path is None else read_mapping(path, InvalidSettings)

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
        raise _named(error, path, kind) from None
    except SettingsError as error:
        raise _unreadable(error, kind) from None


def _unreadable(error: SettingsError, kind: type[BaseSettings]) -> InvalidSettings:
    """A variable that should hold a list or a mapping, and holds no JSON."""
    key = next((name for name in kind.model_fields if f'"{name}"' in str(error)), "environment")
    example = json_example(kind_at(kind, (key,)))
    return InvalidSettings(
        f"{key} ({_variable(kind, (key,))})",
        "is not JSON",
        remedy=f"write it as '{example}'" if example else "",
    )


def _settable(kind: type[BaseSettings], place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The place that has a variable: what is one of a list or mapping has none of its own."""
    for length in range(1, len(place)):
        if section_of(kind_at(kind, place[:length])) is None:
            return place[:length]
    return place


def _variable(kind: type[BaseSettings], place: tuple[int | str, ...]) -> str:
    """What sets that place."""
    names = ENV_DELIMITER.join(str(part) for part in place)
    return f"{kind.model_config.get('env_prefix', '')}{names}".upper()


def _named(error: ValidationError, path: Path | None, kind: type[BaseSettings]) -> InvalidSettings:
    """The first complaint, in terms of key and environment variable."""
    # A key that there is not is often the misspelling of one that is missing: it is told first.
    first = min(error.errors(), key=lambda one: one["type"] != _UNKNOWN_KEY)
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if not key:
        return InvalidSettings("settings", message)
    place = _settable(kind, first["loc"])
    variable = _variable(kind, place)
    if first["type"] == _UNKNOWN_KEY:
        return InvalidSettings(
            f"{key} ({variable})", "unknown key", remedy="remove it, or correct its spelling"
        )
    shown = first.get("input")
    value = f" (is {shown!r})" if isinstance(shown, str | int | float | bool) else ""
    remedy = f"set it in {path} or in that variable" if path else "set that variable"
    example = json_example(kind_at(kind, place)) if first["type"] in _OTHER_SHAPES else None
    return InvalidSettings(
        f"{key} ({variable})",
        f"{message}{value}",
        remedy=f"{remedy}, as {example}" if example else remedy,
    )
