"""The page's content as values; `to_json` converts them for the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any

from heliostat.model.governance import Mode
from heliostat.model.instants import Span, to_epoch
from heliostat.model.names import ModelName, RegionName, SeriesKey, Tier

Line = tuple[float | None, ...]
"""One value per bucket of the picture's grid; None = not measured, or not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The time that the page shows: a live process gives the wall clock and speed 1."""

    now: datetime
    frame: Span
    """From the left to the right edge of every chart, in whole buckets."""
    speed: float
    """Domain seconds per real second of late."""
    stage: str
    """A few words: "live", "back-filling history", "the day runs", "the day is over"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDay:
    """What one policy spent and reached, per bucket and in sum; None where it has not come yet."""

    gpu_hours: Line
    attainment: Line
    gpu_hours_total: float | None = None
    attainment_total: float | None = None
    dollars_total: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivalry:
    """Heliostat beside the tuned reactive policy on the same demand.

    Totals run up to the same instant, `until`, so that they can be compared while the day runs.
    """

    heliostat: PolicyDay
    reactive: PolicyDay
    until: datetime | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchDay:
    """A sample of single requests, dispatched one by one: decisions by outcome, and of `judged` interactive
    ones the mean TTFT that was expected when they were placed beside the one that was simulated."""

    dispatched: int
    queued: int
    other_region: int
    shed: int
    completed: int
    judged: int
    expected_ttft_seconds: float | None
    simulated_ttft_seconds: float | None


RivalrySource = Callable[[Span], Rivalry | None]
"""None where there is no rival: real clouds cannot run the same day twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """Which series the reader looks at; `region` may be EVERYWHERE, the aggregate."""

    region: RegionName
    model: ModelName
    tier: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionNow:
    """One region under its own sun."""

    name: RegionName
    mode: Mode
    local_time: str
    local_hour: float
    tokens_per_second: float | None
    """Offered prompt tokens per second in the last whole bucket."""
    ready: int
    wanted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One series: what came, what had been expected an hour before, and what is expected now.

    Prompt tokens per second, bucket means. Past buckets show the last forecast that was issued at
    least `lead` before them: the one that an order could still have followed.
    """

    key: SeriesKey
    came: Line
    median: Line
    high: Line
    """The 95 % quantile."""
    lead: timedelta
    method: str = ""
    degraded: str = ""
    issued_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolNow:
    """One pool: target, replicas, reason, and the course of both over the day."""

    region: RegionName
    model: ModelName
    vm_type: str
    wanted: int
    ready: int
    coming: int
    draining: int
    failed: int
    utilisation: float | None
    signal: str
    reason: str
    clip: str
    wanted_line: Line
    ready_line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteNow:
    """Where one origin's requests of the focused model and tier go, in shares of 1."""

    origin: RegionName
    version: str
    shares: Mapping[RegionName, float]
    shed: float
    reason: str
    accepted: bool | None
    """What the origin's gateways said of this version; None = nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """One line of the command log."""

    command_id: str
    at: datetime
    region: RegionName
    what: str
    state: str
    reason: str
    outcome: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNow:
    """The newest plan in a line."""

    version: int
    policy: str
    status: str
    created_at: datetime
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that the page draws at one instant."""

    pulse: Pulse
    step: timedelta
    mode: Mode
    plan: PlanNow | None
    focus: Focus
    regions: tuple[RegionNow, ...]
    load: Mapping[RegionName, Mapping[ModelName, Line]]
    expectation: Expectation
    pools: tuple[PoolNow, ...]
    routes: tuple[RouteNow, ...]
    commands: tuple[CommandLine, ...]
    command_counts: Mapping[str, int]
    rivalry: Rivalry | None
    dispatch: DispatchDay | None = None
    """None if no requests are sampled."""


def to_json(value: Any) -> Any:
    """The value as JSON types: instants in epoch seconds, lengths in seconds, floats to 6 digits."""
    match value:
        case datetime():
            return to_epoch(value)
        case timedelta():
            return value.total_seconds()
        case float():
            return float(f"{value:.6g}")
        case Mapping():
            return {str(key): to_json(entry) for key, entry in value.items()}
        case tuple() | list():
            return [to_json(entry) for entry in value]
        case _ if is_dataclass(value):
            return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
