"""All stores of a control plane in one value, for wiring."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.ports.decisions import (
    AuditLog,
    CommandOutbox,
    DecisionStore,
    ModeBook,
    OverrideBook,
    PlanLedger,
    RoutingLedger,
)
from heliostat.ports.fleet import FleetLog
from heliostat.ports.forecasts import ForecastLedger
from heliostat.ports.history import UsageHistory
from heliostat.ports.leadership import Leadership


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """One implementation of every storage port, all on the same database."""

    usage: UsageHistory
    forecasts: ForecastLedger
    decisions: DecisionStore
    plans: PlanLedger
    routing: RoutingLedger
    outbox: CommandOutbox
    overrides: OverrideBook
    modes: ModeBook
    fleet: FleetLog
    audit: AuditLog
    leadership: Leadership
