"""Turns targets into absolute commands, only where they differ from the current or ordered state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from heliostat.errors import StaleEtag
from heliostat.model.command import (
    OPEN_STATES,
    Command,
    CommandState,
    Order,
    RedeployOrder,
    ScaleOrder,
)
from heliostat.model.fleet import Fleet
from heliostat.model.governance import Mode, Modes
from heliostat.model.names import PoolKey
from heliostat.model.plan import CapacityPlan, PoolTarget

_IN_FORCE = (*OPEN_STATES, CommandState.APPLIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """What may be ordered: the fleet, the commands under way and the modes."""

    fleet: Fleet
    open_commands: Sequence[Command]
    modes: Modes
    lifetime: timedelta
    by_hand: Mapping[PoolKey, Command] = field(default_factory=dict)
    """What was ordered by hand since the plan's problem was read; these pools are left alone."""

    def wanted(self, pool: PoolKey) -> int:
        """The replicas that the pool will have when everything ordered so far is done."""
        latest = self.fleet.pool(pool).desired
        for command in self.open_commands:
            latest = dict(command.order.targets).get(pool, latest)
        return latest

    def orders(
        self,
        plan: CapacityPlan,
        *,
        now: datetime,
        author: str,
        least_mode: Mode = Mode.ACTIVE,
    ) -> tuple[Command, ...]:
        """Commands that bring the fleet to the plan's targets, in regions whose mode allows it.

        Redeployments come first, then releases, then purchases: what is given back may be what the
        quota needs.
        """
        allowed = [t for t in plan.targets if self._may_order(t.pool, least_mode)]
        standing = {t.pool: self.wanted(t.pool) for t in allowed}
        changed = {t.pool: t for t in allowed if t.replicas != standing[t.pool]}
        orders = [*self._redeploys(plan, changed)]
        moved = _moved(plan, changed)
        scaled = [t for p, t in changed.items() if t.replicas != standing[p] + moved[p]]
        scaled.sort(key=lambda target: target.replicas > standing[target.pool])
        orders += [(ScaleOrder(pool=t.pool, target_replicas=t.replicas), t) for t in scaled]
        return tuple(
            Command(
                region=target.pool.region,
                order=order,
                reason=target.reason.summary,
                author=author,
                created_at=now,
                not_after=now + self.lifetime,
                plan_version=plan.version,
            )
            for order, target in orders
        )

    def _may_order(self, pool: PoolKey, least_mode: Mode) -> bool:
        if pool in self.by_hand:
            return False
        mode = self.modes.of(pool.region)
        return mode is Mode.ACTIVE or (least_mode is Mode.ADVISORY and mode is Mode.ADVISORY)

    def _redeploys(
        self, plan: CapacityPlan, changed: dict[PoolKey, PoolTarget]
    ) -> Iterable[tuple[Order, PoolTarget]]:
        for move in plan.redeployments:
            source, destination = changed.get(move.source), changed.get(move.destination)
            if source is None or destination is None:
                continue
            order = RedeployOrder(
                source=move.source,
                source_target=source.replicas,
                destination=move.destination,
                destination_target=destination.replicas,
            )
            yield order, destination


def by_hand(commands: Iterable[Command]) -> dict[PoolKey, Command]:
    """Of commands, oldest first, the last one by hand for each pool; those that came to nothing
    (refused, expired, cancelled) bind nobody."""
    return {
        pool: command
        for command in commands
        if not command.plan_version and command.state in _IN_FORCE
        for pool in command.order.pools
    }


def check_nothing_by_hand_since(
    plan: CapacityPlan, commands: Iterable[Command], recent: Iterable[Command]
) -> None:
    """Raises StaleEtag when one of the plan's `commands` would undo what was ordered by hand since.

    `recent` are commands of any author that were stored since the plan was made, oldest first.
    """
    ordered = by_hand(recent)
    for pool, planned in (target for command in commands for target in command.order.targets):
        newer = ordered.get(pool)
        if newer is not None and dict(newer.order.targets)[pool] != planned:
            raise StaleEtag(
                f"plan {plan.version} is older than {newer.author}'s order {newer.order} "
                f"(command {newer.command_id}) and would undo it",
                remedy="review and approve the next plan, or cancel the order first",
            )


def _moved(plan: CapacityPlan, changed: Mapping[PoolKey, PoolTarget]) -> Counter[PoolKey]:
    """Replicas that redeployments bring to each pool, negative where they leave."""
    moved: Counter[PoolKey] = Counter()
    for move in plan.redeployments:
        if move.source in changed and move.destination in changed:
            moved[move.source] -= move.replicas
            moved[move.destination] += move.replicas
    return moved
