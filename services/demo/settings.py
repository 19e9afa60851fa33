"""Settings of a demo: fleet, demand, length, speed, and page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from heliostat.errors import InvalidSettings
from heliostat.model.instants import Span
from planning.house_policies import CAREFUL, HOUSE_POLICIES

EXAMPLE_CATALOGUE = Path(__file__).parents[2] / "deploy" / "catalogue.yaml"
DEFAULT_PORT = 8321
STDOUT = Path("-")
"""Given as a file, it means standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """All switches of `heliostat demo`; the defaults are the demo that the README shows.

    `speed` = most domain minutes per real second (0 = as fast as the machine allows); `port` = the
    page's (0 = any free one); `keep` = where databases and journals stay (None = they go away).
    """

    catalogue: Path = EXAMPLE_CATALOGUE
    trace: Path | None = None
    headless: bool = False
    json: Path | None = None
    hours: int = 24
    history_days: int = 14
    busy_replicas: float = 24.0
    step_minutes: int = 0
    """How often agents, control plane and clouds meet; requests are served minute by minute. 0 = every
    5 minutes with a page to watch, every 15 without one."""
    speed: float = 0.0
    seed: int = 1
    policy: str = CAREFUL
    """Which policy the control plane runs, as its setting of that name."""
    port: int = DEFAULT_PORT
    keep: Path | None = None
    day_start: datetime = datetime(2026, 3, 3, tzinfo=UTC)
    """A Tuesday, so that the day before is a working day too."""

    def __post_init__(self) -> None:
        if self.policy not in HOUSE_POLICIES:
            raise InvalidSettings(
                "policy", f"{self.policy!r} is none of {', '.join(HOUSE_POLICIES)}"
            )
        _check("hours", self.hours, 1, 24)
        _check("history_days", self.history_days, 1, 60)
        if self.step_minutes not in (0, 1, 3, 5, 15):
            raise InvalidSettings("step_minutes", f"{self.step_minutes} is not 0, 1, 3, 5 or 15")
        _check("port", self.port, 0, 65535)
        _check("speed", self.speed, 0.0, 1e6)
        _check("seed", self.seed, 0, 2**63 - 1)
        if not 0 < self.busy_replicas <= 1000:
            raise InvalidSettings("busy_replicas", f"{self.busy_replicas} is not within (0, 1000]")

    @property
    def step(self) -> timedelta:
        """From one meeting to the next."""
        return timedelta(minutes=self.step_minutes or (15 if self.headless else 5))

    @property
    def day(self) -> Span:
        """The demo's day."""
        return Span(self.day_start, self.day_end)

    @property
    def day_end(self) -> datetime:
        """When the demo's day is over."""
        return self.day_start + timedelta(hours=self.hours)


def _check(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InvalidSettings(name, f"{value} is not within [{least}, {most}]")
