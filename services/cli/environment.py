"""The known HELIOSTAT_… variables; an unknown one is refused as a typing mistake.

Otherwise a mistyped variable would silently leave its default in force.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from heliostat.errors import InvalidSettings
from services.cli.connection import LOCAL_VARIABLES, VARIABLES

if TYPE_CHECKING:
    from pydantic import BaseModel

PREFIX = "HELIOSTAT_"
_CALLING = ("ADDRESS", "TLS_CA", "TLS_CERT", "TLS_KEY")
CLIENT = frozenset(
    {f"{PREFIX}SETTINGS", f"{PREFIX}AGENT_SETTINGS", f"{PREFIX}DEBUG"}
    | {f"{start}{name}" for start in (VARIABLES, LOCAL_VARIABLES) for name in _CALLING}
)
"""What the command line itself reads."""
TOOLS = frozenset({f"{PREFIX}DATA", f"{PREFIX}BENCH_ROWS", f"{PREFIX}CHECKED_ENGINE"})
"""What tests, benchmarks and the compiled engine read."""

# Kubernetes describes a service called "heliostat" or "heliostat-agent" to every pod beside it.
_SERVICE = re.compile(r"HELIOSTAT_(\w+_)?SERVICE_(HOST|PORT(_\w+)?)")
_SERVICE_PORT = re.compile(r"HELIOSTAT_(\w+_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://.*")


def check_environment(environment: Mapping[str, str]) -> None:
    """Raises InvalidSettings naming every unknown HELIOSTAT_… variable, and the nearest known one."""
    ours = {name: value for name, value in environment.items() if name.upper().startswith(PREFIX)}
    if ours.keys() <= CLIENT | TOOLS:
        return  # most calls; the settings need not be loaded for them
    known = CLIENT | TOOLS | frozenset(_settings())
    unknown = sorted(
        name
        for name, value in ours.items()
        if name.upper() not in known and not _tells_of_a_service(name, value)
    )
    if unknown:
        raise InvalidSettings(
            ", ".join(unknown),
            "unknown variable",
            remedy="; ".join(_advice(name, known) for name in unknown),
        )


def _advice(name: str, known: frozenset[str]) -> str:
    """Compares names without the prefix that all share."""
    tails = sorted(each.removeprefix(PREFIX) for each in known)
    nearest = get_close_matches(name.upper().removeprefix(PREFIX), tails, n=1)
    return f"did you mean {PREFIX}{nearest[0]}?" if nearest else f"unset {name}"


def _tells_of_a_service(name: str, value: str) -> bool:
    if _SERVICE.fullmatch(name):
        return True
    port = _SERVICE_PORT.fullmatch(name)
    return port is not None and (port[2] is not None or _SERVICE_URL.fullmatch(value) is not None)


def _settings() -> Iterator[str]:
    """The variables of every process's settings."""
    from services.agent.settings import ENV_PREFIX as AGENT
    from services.agent.settings import AgentSettings
    from services.control_plane.settings import ENV_PREFIX as CONTROL_PLANE
    from services.control_plane.settings import ControlPlaneSettings

    yield from _variables(CONTROL_PLANE, ControlPlaneSettings)
    yield from _variables(AGENT, AgentSettings)


def _variables(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    """Every key's variable; a group of keys has one of its own (JSON) and one per key inside."""
    from pydantic import BaseModel

    from services.configuration import ENV_DELIMITER

    for key, field in model.model_fields.items():
        name = f"{prefix}{key}".upper()
        yield name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _variables(name + ENV_DELIMITER, kind)
