"""The table of permissions per call, kept equal to the comments in the protos."""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.errors import Forbidden
from services.identity import Identity, Role

_EVERYBODY = frozenset(Role)
_TOOLS = frozenset({Role.AUTOMATION, Role.OPERATOR, Role.ADMIN})
_PEOPLE = frozenset({Role.OPERATOR, Role.ADMIN})
_AGENTS = frozenset({Role.AGENT, Role.ADMIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which roles may call a method, whether it writes, and whether only the leader serves it.

    Refused calls of a method that writes are audited.
    """

    roles: frozenset[Role]
    writes: bool = False
    leader_only: bool = False


def _read(roles: frozenset[Role] = _EVERYBODY) -> Rule:
    return Rule(roles=roles)


def _write(roles: frozenset[Role]) -> Rule:
    return Rule(roles=roles, writes=True, leader_only=True)


RULES: dict[str, Rule] = {
    "/heliostat.v1.UsageService/ReportUsage": _write(_EVERYBODY),
    "/heliostat.v1.UsageService/QueryUsage": _read(),
    "/heliostat.v1.UsageService/StreamUsage": _read(),
    "/heliostat.v1.RoutingService/WatchRoutes": _read(),
    "/heliostat.v1.RoutingService/GetRoutes": _read(),
    "/heliostat.v1.FleetService/GetFleet": _read(),
    "/heliostat.v1.FleetService/ScalePool": _write(_TOOLS),
    "/heliostat.v1.FleetService/RedeployPool": _write(_TOOLS),
    "/heliostat.v1.FleetService/ListOverrides": _read(),
    "/heliostat.v1.FleetService/CancelOverride": _write(_TOOLS),
    "/heliostat.v1.FleetService/ListCommands": _read(),
    "/heliostat.v1.FleetService/GetCommand": _read(),
    "/heliostat.v1.FleetService/WatchCommand": _read(),
    "/heliostat.v1.FleetService/CancelCommand": _write(_TOOLS),
    "/heliostat.v1.FleetService/WatchCommands": _write(_AGENTS),
    "/heliostat.v1.FleetService/AcknowledgeCommand": _write(_AGENTS),
    "/heliostat.v1.FleetService/ReportFleet": _write(_AGENTS),
    "/heliostat.v1.ForecastService/ListForecasts": _read(),
    "/heliostat.v1.ForecastService/GetForecast": _read(),
    "/heliostat.v1.ForecastService/GetForecastAccuracy": _read(),
    "/heliostat.v1.PlanService/GetPlan": _read(),
    "/heliostat.v1.PlanService/ListPlans": _read(),
    "/heliostat.v1.PlanService/ProposePlan": _read(_TOOLS),
    "/heliostat.v1.PlanService/ApprovePlan": _write(_PEOPLE),
    "/heliostat.v1.PlanService/ExplainPlan": _read(),
    "/heliostat.v1.PlanService/GetMode": _read(),
    "/heliostat.v1.PlanService/SetMode": _write(_PEOPLE),
    "/heliostat.v1.AuditService/ListAudit": _read(_PEOPLE),
}

OPEN_PREFIXES = ("/grpc.health.v1.", "/grpc.reflection.")
"""Served to whoever got through TLS: probes and tools need no role."""


def rule_of(method: str) -> Rule | None:
    """The method's rule; None for what is open to everybody who got through TLS."""
    return None if method.startswith(OPEN_PREFIXES) else RULES[method]


def check_role(method: str, rule: Rule, identity: Identity) -> None:
    """Raises Forbidden when the role may not call the method."""
    if identity.role not in rule.roles:
        allowed = ", ".join(sorted(rule.roles))
        raise Forbidden(
            f"{identity} may not call {method.rsplit('/', 1)[-1]}", remedy=f"roles are {allowed}"
        )
