"""The address and credentials of a call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VARIABLES = "HELIOSTAT_"
"""Prefix of the variables for connecting to a control plane."""
LOCAL_VARIABLES = "HELIOSTAT_LOCAL_"
"""Prefix of the variables for connecting to an agent's local API, which has its own certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The address of a control plane or agent, and the caller's credentials."""

    address: str
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    of_agent: bool = False
    """True = an agent's local API."""

    def option(self, name: str) -> str:
        """An option as messages name it, with its variable: `--tls-ca (HELIOSTAT_TLS_CA)`."""
        variables = LOCAL_VARIABLES if self.of_agent else VARIABLES
        shown = "agent" if self.of_agent and name == "address" else name
        return f"--{shown} ({variables}{name.upper().replace('-', '_')})"
