"""What a decision is made from: read before deciding, and checked by the store that keeps the decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from heliostat.errors import OutdatedDecision
from heliostat.ports.decisions import Basis
from heliostat.ports.stores import Stores

T = TypeVar("T")


def read_basis(stores: Stores) -> Basis:
    """What is stored now. To be read before anything else that the decision depends on."""
    newest = stores.outbox.commands(newest_first=True, limit=1)
    plan = stores.plans.latest_plan()
    return Basis(
        last_command_id=newest[0].command_id if newest else "",
        plan_version=plan.version if plan is not None else 0,
        modes=stores.modes.modes(),
    )


def once_more(decide: Callable[[], T]) -> T:
    """Decide, and decide again where something else was stored between the look and the commit.

    Raises OutdatedDecision when that happens twice in a row, and what `decide` raises.
    """
    try:
        return decide()
    except OutdatedDecision:
        return decide()
