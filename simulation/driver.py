"""The hands of an agent on a simulated region: absolute targets, whatever is asked again.

The region's own tags are the journal: each replica carries the command that it was ordered for, and
the cloud is consistent, so a driver that lost its memory counts what stands and continues.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from heliostat.errors import CapacityUnavailable, DriverUnavailable, QuotaExceeded, UnknownPool
from heliostat.model.command import Command, CommandProgress, RedeployOrder, ScaleOrder
from heliostat.model.fleet import PoolObservation, RegionObservation, ReplicaEndpoint
from heliostat.model.names import PoolKey
from heliostat.ports.cloud import DriverAnswer
from simulation.region import SimulatedRegion
from simulation.replica import COMING, Replica, Stage

ORDERS_PER_CALL = 20
"""A call buys at most so many VMs: a bounded piece of work, after which others get their turn."""


class SimulatedDriver:
    """Implements `heliostat.ports.cloud.CloudDriver` on a SimulatedRegion; holds no truth itself."""

    def __init__(self, region: SimulatedRegion) -> None:
        self._region = region
        self._reported_until = datetime.min.replace(tzinfo=UTC)
        self._untold: deque[RegionObservation] = deque()
        self._told_any = False
        self._endpoints: dict[str, ReplicaEndpoint] = {}
        """The endpoints that were told last, by replica."""

    def apply(self, command: Command, now: datetime) -> DriverAnswer:
        self._region.advance(now)
        self._check_pools(command)
        self._region.market.check_api(now)
        match command.order:
            case ScaleOrder(pool=pool, target_replicas=target):
                targets = {pool: target}
            case RedeployOrder() as order:
                self._move(order, command, now)
                targets = {
                    order.source: order.source_target,
                    order.destination: order.destination_target,
                }
        for pool, target in targets.items():
            self._region.desired[pool] = target
            self._scale(pool, target, command, now)
        done = all(self._settled(pool, target) for pool, target in targets.items())
        return DriverAnswer(progress=self._progress(command), done=done)

    def abandon(self, command: Command, now: datetime) -> CommandProgress:
        self._region.advance(now)
        self._region.market.check_api(now)
        for pool in command.order.pools:
            self._accept_what_stands(pool)
        return self._progress(command)

    def abandon_others(self, commands: Sequence[Command], now: datetime) -> None:
        """Nothing is under way here without its command."""

    def observe(self, now: datetime) -> RegionObservation:
        """What is told now: the region as it stands, as it stood where telemetry is delayed (at first its
        beginning). Raises DriverUnavailable also where telemetry has a hole: nothing is told."""
        self._region.advance(now)
        self._region.market.check_api(now)
        hole = self._region.troubles.hole(now)
        if hole is None or hole.only_tokens:
            self._untold.append(self._seen(now))
        return self._newest(now - self._region.troubles.telemetry_delay)

    def _newest(self, until: datetime) -> RegionObservation:
        due: list[RegionObservation] = []
        while self._untold and (self._untold[0].observed_at <= until or not self._told_any):
            due.append(self._untold.popleft())
            self._told_any = True
        if not due:
            raise DriverUnavailable(f"{self._region.name} has no telemetry to tell")
        started = tuple(sample for one in due for sample in one.lead_times)
        return due[-1] if len(due) == 1 else replace(due[-1], lead_times=started)

    def _seen(self, now: datetime) -> RegionObservation:
        replicas = self._region.replicas()
        stages: dict[PoolKey, Counter[Stage]] = {pool: Counter() for pool in self._region.pools}
        for replica in replicas:
            stages[replica.counts_for][_shown_as(replica)] += 1
        lead_times = tuple(
            s for s in self._region.books.lead_times if s.ready_at > self._reported_until
        )
        self._reported_until = now
        return RegionObservation(
            region=self._region.name,
            observed_at=now,
            pools=tuple(self._pool(pool, stages[pool]) for pool in self._region.pools),
            replicas=self._told_endpoints(replicas),
            lead_times=lead_times,
            batch_backlog=self._region.load.batch_backlog(self._region.name),
        )

    def _told_endpoints(self, replicas: Sequence[Replica]) -> tuple[ReplicaEndpoint, ...]:
        """Those that serve or drain; one that did not change is told as the same value."""
        before, self._endpoints = self._endpoints, {}
        for replica in replicas:
            if replica.stage in (Stage.READY, Stage.DRAINING):
                known = before.get(replica.replica_id)
                self._endpoints[replica.replica_id] = _endpoint(replica, known)
        return tuple(self._endpoints.values())

    # --- orders --------------------------------------------------------------------------------

    def _check_pools(self, command: Command) -> None:
        for pool in command.order.pools:
            if pool not in self._region.pools:
                raise UnknownPool(pool, remedy=f"{self._region.name} has no such pool")

    def _move(self, order: RedeployOrder, command: Command, now: datetime) -> None:
        source = self._region.standing_for(order.source)
        missing = order.destination_target - len(self._region.standing_for(order.destination))
        spare = len(source) - order.source_target
        ready = [replica for replica in reversed(source) if replica.stage is Stage.READY]
        for replica in ready[: max(0, min(missing, spare))]:
            self._region.redeploy(replica, order.destination, command.command_id, now)

    def _scale(self, pool: PoolKey, target: int, command: Command, now: datetime) -> None:
        standing = self._region.standing_for(pool)
        try:
            for _ in range(min(ORDERS_PER_CALL, target - len(standing))):
                self._region.buy(pool, command.command_id, now)
        except (CapacityUnavailable, QuotaExceeded) as refusal:
            if isinstance(refusal, QuotaExceeded) and self._quota_comes_free(pool):
                return
            self._accept_what_stands(pool)
            raise
        for replica in _spare(standing)[: max(0, len(standing) - target)]:
            self._region.release(replica, command.command_id, now)

    def _quota_comes_free(self, pool: PoolKey) -> bool:
        """VMs that drain now are bought anew by a later call instead of refusing the order."""
        return any(
            replica.stage is Stage.DRAINING and not replica.stands
            for replica in self._region.replicas()
            if replica.pool.vm_type == pool.vm_type
        )

    def _settled(self, pool: PoolKey, target: int) -> bool:
        stages = [replica.stage for replica in self._region.of_pool(pool)]
        return stages.count(Stage.READY) == target and all(
            stage in (Stage.READY, Stage.FAILED, Stage.LENT) for stage in stages
        )

    def _accept_what_stands(self, pool: PoolKey) -> None:
        """The order ends short of its target: what stands is what is desired now."""
        self._region.desired[pool] = len(self._region.standing_for(pool))

    # --- reports -------------------------------------------------------------------------------

    def _progress(self, command: Command) -> CommandProgress:
        mine = Counter(
            replica.stage
            for replica in self._region.replicas()
            if replica.command_id == command.command_id
        )
        gone = self._region.books.gone(command.command_id)
        return CommandProgress(
            ordered=mine[Stage.REQUESTED],
            provisioning=mine[Stage.PROVISIONING],
            loading=mine[Stage.LOADING],
            ready=mine[Stage.READY],
            draining=mine[Stage.DRAINING],
            released=gone.get(Stage.RELEASED, 0),
            failed=gone.get(Stage.FAILED, 0),
        )

    def _pool(self, pool: PoolKey, stages: Counter[Stage]) -> PoolObservation:
        gauge = self._region.load.gauge(pool) if stages[Stage.READY] else None
        return PoolObservation(
            pool=pool,
            desired=self._region.desired[pool],
            provisioning=stages[Stage.REQUESTED] + stages[Stage.PROVISIONING],
            loading=stages[Stage.LOADING],
            ready=stages[Stage.READY],
            draining=stages[Stage.DRAINING],
            failed=stages[Stage.FAILED],
            running_requests=None if gauge is None else gauge.running_requests,
            waiting_requests=None if gauge is None else gauge.waiting_requests,
            utilisation=None if gauge is None else gauge.utilisation,
            kv_occupancy=None if gauge is None else gauge.kv_occupancy,
            interactive_busy_replicas=None if gauge is None else gauge.interactive_busy_replicas,
            running_batch_requests=None if gauge is None else gauge.running_batch_requests,
        )


def address_of(replica: Replica) -> str:
    """Where a simulated replica would listen."""
    return f"{replica.replica_id}.simulated:8000"


def _endpoint(replica: Replica, known: ReplicaEndpoint | None) -> ReplicaEndpoint:
    draining = replica.stage is Stage.DRAINING
    if known is not None and known.pool is replica.pool and known.draining == draining:
        return known
    return ReplicaEndpoint(
        replica_id=replica.replica_id,
        pool=replica.pool,
        address=address_of(replica),
        draining=draining,
    )


def _shown_as(replica: Replica) -> Stage:
    """A VM that drains on its way to another pool is on its way for that pool: counted once."""
    return Stage.PROVISIONING if replica.destination is not None else replica.stage


def _spare(standing: Iterable[Replica]) -> list[Replica]:
    """Which replicas go first: those that do not serve yet, then the youngest."""
    newest_first = list(standing)[::-1]
    return sorted(newest_first, key=lambda replica: replica.stage not in COMING)
