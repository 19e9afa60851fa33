"""Whom a command calls, and what it shows of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VARIABLES = "HELIOSTAT_"
"""Begins the variables that say how to call a control plane."""
DOOR_VARIABLES = "HELIOSTAT_DOOR_"
"""Begins those that say how to call an agent's door: other certificates count there, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the control plane, or an agent's door, is and how to prove who calls."""

    address: str
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    door: bool = False
    """True = an agent's door."""

    def option(self, name: str) -> str:
        """An option as messages name it, with its variable: `--tls-ca (HELIOSTAT_TLS_CA)`."""
        variables = DOOR_VARIABLES if self.door else VARIABLES
        shown = "agent" if self.door and name == "address" else name
        return f"--{shown} ({variables}{name.upper().replace('-', '_')})"
