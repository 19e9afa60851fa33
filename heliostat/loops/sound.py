"""Validates a policy's decisions; invalid ones are refused, naming the policy and the instant."""

from __future__ import annotations

import math
from collections.abc import Iterable

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidPolicyOutput
from heliostat.model.fleet import Fleet
from heliostat.model.governance import Mode, Modes
from heliostat.model.names import PoolKey
from heliostat.model.plan import CapacityPlan
from heliostat.model.routing import RoutingTable


def check_plan(plan: CapacityPlan, catalogue: FleetCatalogue) -> None:
    """Every pool of the catalogue has exactly one target, and flows are finite numbers.

    Negative counts and doubled pools cannot exist: the values refuse them. Raises
    InvalidPolicyOutput.
    """
    place = f"{plan.policy} at {plan.created_at:%Y-%m-%dT%H:%M:%SZ}"
    known: set[PoolKey] = {pool.key for pool in catalogue.pools}
    planned = {target.pool for target in plan.targets}
    _refuse(place, "plans pools that are not in the catalogue", planned - known)
    _refuse(place, "omits pools", known - planned)
    for flow in plan.flows:
        if not (math.isfinite(flow.requests_per_second) and flow.requests_per_second >= 0):
            raise InvalidPolicyOutput(
                place, f"flow of {flow.requests_per_second} for {flow.demand}"
            )


def check_tables(
    tables: Iterable[RoutingTable], catalogue: FleetCatalogue, fleet: Fleet, modes: Modes
) -> None:
    """Tables are for known origins, each once, and steer nothing to pools without ready replicas.

    An origin that is not in ACTIVE mode is not steered: its table may leave requests with replicas that
    nobody reports. Raises InvalidPolicyOutput.
    """
    ready = {
        (state.observation.pool.region, state.observation.pool.model)
        for state in fleet.pools
        if state.observation.ready > 0
    }
    regions = {region.name for region in catalogue.regions}
    seen: set[str] = set()
    for table in tables:
        if table.origin not in regions or table.origin in seen:
            raise InvalidPolicyOutput(
                _made(table), f"table for {table.origin!r} is unknown or appears twice"
            )
        seen.add(table.origin)
        if modes.of(table.origin) is not Mode.ACTIVE:
            continue
        for entry in table.entries:
            for share in entry.shares:
                if share.weight_ppm and (share.serving, entry.model) not in ready:
                    raise InvalidPolicyOutput(
                        _made(table),
                        f"{table.origin} sends {entry.model}/{entry.tier} to {share.serving}, "
                        "which has no ready replica",
                    )


def _made(table: RoutingTable) -> str:
    """Where and when it was made."""
    return f"router at {table.valid_from:%Y-%m-%dT%H:%M:%SZ}"


def _refuse(place: str, complaint: str, pools: set[PoolKey]) -> None:
    if pools:
        names = ", ".join(str(pool) for pool in sorted(pools)[:5])
        raise InvalidPolicyOutput(place, f"{complaint}: {names}")
