"""The simulated cloud of one region: sells VMs after drawn lead times, drains and redeploys them.

It outlives its drivers as a cloud outlives its clients: what it holds is the truth that a restarted
driver finds. Every order first lets happen what was due until then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from numpy.random import SeedSequence

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import UnknownPool
from heliostat.model.fleet import StartKind
from heliostat.model.names import ModelName, PoolKey, RegionName, VmTypeName
from simulation.blows import Blows
from simulation.engine import Change, NoLoad, ReplicaChange, ReplicaLoad
from simulation.events import EventQueue
from simulation.fortune import Fortune
from simulation.market import Market
from simulation.region_books import RegionBooks
from simulation.replica import Replica, Stage
from simulation.seen import seen_by_engine
from simulation.stage_ledger import StageLedger, StageSeconds
from simulation.troubles import CloudTroubles, Eviction

_Planned = tuple[str, int, Stage]
"""Replica id, its life, and the stage that it is to enter."""


class SimulatedRegion:
    """VMs of one region, each carrying one replica; for one caller at a time."""

    def __init__(
        self,
        *,
        region: RegionName,
        catalogue: FleetCatalogue,
        seeds: SeedSequence,
        troubles: CloudTroubles | None = None,
        load: ReplicaLoad | None = None,
        warm_vms: Mapping[VmTypeName, int] | None = None,
        lends: bool = False,
    ) -> None:
        """`lends`: what is released is lent to the spot market and taken back before anything is bought."""
        self.name = region
        self.catalogue = catalogue
        self.pools = tuple(pool.key for pool in catalogue.pools if pool.key.region == region)
        self._own_key = {pool: pool for pool in self.pools}
        """Replicas carry these very keys, so that asking whose a replica is compares no names."""
        self.load: ReplicaLoad = load or NoLoad()
        self.troubles = troubles or CloudTroubles()
        self.market = Market(
            region=region,
            quotas={vm: quota for (at, vm), quota in catalogue.quotas.items() if at == region},
            troubles=self.troubles,
            seeds=seeds,
            warm_vms=warm_vms or {},
        )
        self.desired: Counter[PoolKey] = Counter()
        self.books = RegionBooks()
        self._lends = lends
        self._fortune = Fortune(catalogue, seeds, self.troubles)
        self._weights: set[ModelName] = set()
        self._standing: dict[str, Replica] = {}
        self._numbers = 0
        self._planned: EventQueue[_Planned] = EventQueue()
        self._blows = Blows(self.troubles)
        self._ledger = StageLedger()
        self._changes: list[ReplicaChange] = []

    # --- looking -------------------------------------------------------------------------------

    def replicas(self) -> tuple[Replica, ...]:
        """Everything that is paid for, oldest VM first."""
        return tuple(self._standing.values())

    def standing_for(self, pool: PoolKey) -> tuple[Replica, ...]:
        """What serves or will serve in the pool, oldest VM first; () for a pool of another region."""
        own = self._own_key.get(pool)
        return tuple(r for r in self._standing.values() if r.counts_for is own and r.stands)

    def of_pool(self, pool: PoolKey) -> tuple[Replica, ...]:
        """Whatever is in the pool or on its way to it, oldest VM first. Raises UnknownPool."""
        own = self._own(pool)
        return tuple(r for r in self._standing.values() if r.pool is own or r.destination is own)

    def stage_seconds(self, now: datetime) -> StageSeconds:
        """Replica-seconds per (pool, stage) from the first VM until `now`."""
        self.advance(now)
        return self._ledger.until(now, self._standing.values())

    def take_changes(self) -> list[ReplicaChange]:
        """What befell replicas that serve or served, since it was asked last, in order of time."""
        taken, self._changes = self._changes, []
        return taken

    # --- ordering ------------------------------------------------------------------------------

    def stand(self, pool: PoolKey, replicas: int, now: datetime) -> None:
        """Let ready replicas stand as if they had always been there: how a run begins."""
        for _ in range(replicas):
            replica = self._new(pool, StartKind.COLD, "", now)
            replica.stage, replica.served = Stage.READY, True
            self._tell(replica, Change.READY, now)
            self._plan_all(replica, self._fortune.misfortunes(replica))
        self._weights.add(pool.model)
        self.desired[pool] += replicas

    def buy(self, pool: PoolKey, command_id: str, now: datetime) -> Replica:
        """Order one VM for the pool, first of those that are lent.

        Raises QuotaExceeded, CapacityUnavailable, UnknownPool.
        """
        self.advance(now)
        lent = self._lent_for(pool)
        if lent is not None:
            self._take_back(lent, pool, command_id, now)
            return lent
        kind = self.market.sell(pool.vm_type, self._standing.values(), command_id, now)
        replica = self._new(pool, kind, command_id, now)
        self.books.happened["bought"] += 1
        self._plan_all(replica, self._fortune.start(replica))
        return replica

    def release(self, replica: Replica, command_id: str, now: datetime) -> None:
        """Give a VM back: at once while it is coming, after what runs is finished when it serves.

        Where VMs are lent, one that served is lent instead.
        """
        self.advance(now)
        replica.command_id = command_id
        if replica.stage is Stage.READY:
            self._enter(replica, Stage.DRAINING, now)
            self._plan(replica, Stage.RELEASED, self._drained_at(replica, now))
        elif replica.stage is Stage.DRAINING:
            replica.destination = None
        else:
            self._enter(replica, Stage.RELEASED, now)

    def redeploy(
        self, replica: Replica, destination: PoolKey, command_id: str, now: datetime
    ) -> None:
        """Drain a ready replica, then load the destination's model on its VM."""
        destination = self._own(destination)
        self.advance(now)
        self._enter(replica, Stage.DRAINING, now)
        replica.command_id, replica.destination = command_id, destination
        replica.ordered_at, replica.life = now, replica.life + 1
        self.books.happened["redeployed"] += 1
        self._plan(replica, Stage.LOADING, self._drained_at(replica, now))

    def fail(self, replica: Replica, now: datetime) -> None:
        """Break a replica; its place in `desired` goes with it, so that the next plan sees the gap."""
        if replica.stands:
            pool = replica.counts_for
            self.desired[pool] = max(0, self.desired[pool] - 1)
        self._enter(replica, Stage.FAILED, now)
        replica.life += 1  # whatever was to end its drain, it is paid for until it is cleared away
        replica.destination = None
        self._plan(replica, Stage.RELEASED, now + self.troubles.failed_kept)

    def evict(self, replica: Replica, now: datetime) -> None:
        """The cloud gives notice: the replica takes no more, and is gone when its work is done or the
        notice is over. As with a failure, its place in `desired` goes with it."""
        if replica.stands:
            pool = replica.counts_for
            self.desired[pool] = max(0, self.desired[pool] - 1)
        replica.taken_at, replica.destination = now + self.troubles.eviction_notice, None
        self.books.happened["evicted"] += 1
        if replica.stage is Stage.READY:
            self._enter(replica, Stage.DRAINING, now)
        self._plan(replica, Stage.RELEASED, self._drained_at(replica, now))

    # --- time ----------------------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due; repeatable."""
        for at, eviction in self._blows.due(now):
            self._advance(at)
            if eviction is None:
                self._lose(at)
            else:
                self._give_notice(eviction, at)
        self._advance(now)

    def _lose(self, at: datetime) -> None:
        """The whole region fails at once."""
        for replica in self.replicas():
            if replica.stage is not Stage.FAILED:
                self.fail(replica, at)

    def _give_notice(self, eviction: Eviction, at: datetime) -> None:
        ready = [
            replica
            for replica in reversed(self.replicas())
            if replica.stage is Stage.READY and replica.pool.vm_type == eviction.vm_type
        ]
        for replica in ready[: eviction.vms]:
            self.evict(replica, at)

    def _advance(self, now: datetime) -> None:
        for at, (replica_id, life, stage) in self._planned.due(now):
            replica = self._standing.get(replica_id)
            if replica is not None and replica.life == life:
                self._happen(replica, stage, at)

    def _happen(self, replica: Replica, stage: Stage, at: datetime) -> None:
        if replica.stage is Stage.FAILED and stage is not Stage.RELEASED:
            return
        if stage is Stage.FAILED:
            self.fail(replica, at)
            return
        if stage is Stage.DRAINING:
            if replica.stage is Stage.READY:
                self.evict(replica, at)
            return
        if replica.stage is Stage.DRAINING:
            drained = self._drained_at(replica, at)
            if drained > at:
                self._plan(replica, stage, drained)
                return
            stage = self._after_drain(replica)
        self._enter(replica, stage, at)

    def _enter(self, replica: Replica, stage: Stage, at: datetime) -> None:
        self._ledger.leave(replica, at)
        change = seen_by_engine(
            replica, stage, at, lambda: self.load.finishes_at(replica.pool, replica.replica_id, at)
        )
        if change is not None:
            self._tell(replica, change, at)
        before = replica.stage
        replica.become(stage, at)
        if stage is Stage.LOADING and replica.destination is not None:
            self._reload(replica, replica.destination)
        elif stage is Stage.READY:
            self._greet(replica)
        elif stage is Stage.LENT:
            self.books.count_gone(replica, "lent", as_stage=Stage.RELEASED)
        elif stage is Stage.FAILED:
            self.books.count_gone(replica, "failed")
        elif stage is Stage.RELEASED:
            del self._standing[replica.replica_id]
            if _is_warm(replica, before):
                self.market.take_back(replica.pool.vm_type)
            self.books.count_gone(replica, "released")

    def _after_drain(self, replica: Replica) -> Stage:
        if replica.destination is not None:
            return Stage.LOADING
        return Stage.LENT if self._lends and replica.taken_at is None else Stage.RELEASED

    def _lent_for(self, pool: PoolKey) -> Replica | None:
        """A lent VM that the pool may have, its own model's first, the newest of several."""
        lent = [
            replica
            for replica in reversed(self.replicas())
            if replica.stage is Stage.LENT and replica.pool.vm_type == pool.vm_type
        ]
        return min(lent, key=lambda replica: replica.pool != pool, default=None)

    def _take_back(self, replica: Replica, pool: PoolKey, command_id: str, now: datetime) -> None:
        """Its own model's weights are still there, a warm start; another model's are loaded."""
        pool = self._own(pool)
        own = replica.pool is pool
        replica.command_id, replica.ordered_at = command_id, now
        replica.life += 1
        replica.destination = None if own else pool
        self.books.happened["taken back"] += 1
        self._enter(replica, Stage.LOADING, now)
        if own:
            replica.start_kind = StartKind.WARM
            self._plan(replica, Stage.READY, now + self._fortune.lead_time(replica))

    def _reload(self, replica: Replica, destination: PoolKey) -> None:
        local = destination.model in self._weights
        replica.pool, replica.destination = destination, None
        replica.start_kind = (
            StartKind.REDEPLOY_LOCAL_WEIGHTS if local else StartKind.REDEPLOY_REMOTE_WEIGHTS
        )
        self._plan(replica, Stage.READY, replica.since + self._fortune.lead_time(replica))

    def _greet(self, replica: Replica) -> None:
        self._weights.add(replica.pool.model)
        self.books.started(replica)
        self._plan_all(replica, self._fortune.misfortunes(replica))

    # --- inside --------------------------------------------------------------------------------

    def _own(self, pool: PoolKey) -> PoolKey:
        """The region's own key of that pool. Raises UnknownPool."""
        if pool not in self._own_key:
            raise UnknownPool(pool, remedy=f"it is not a pool of {self.name}")
        return self._own_key[pool]

    def _new(self, pool: PoolKey, kind: StartKind, command_id: str, now: datetime) -> Replica:
        pool = self._own(pool)
        self._numbers += 1
        replica = Replica(
            replica_id=f"{self.name}-{self._numbers:05d}",
            number=self._numbers,
            pool=pool,
            start_kind=kind,
            ordered_at=now,
            since=now,
            command_id=command_id,
        )
        self._standing[replica.replica_id] = replica
        return replica

    def _plan(self, replica: Replica, stage: Stage, at: datetime) -> None:
        self._planned.push(at, (replica.replica_id, replica.life, stage))

    def _plan_all(self, replica: Replica, ahead: Iterable[tuple[Stage, datetime]]) -> None:
        for stage, at in ahead:
            self._plan(replica, stage, at)

    def _drained_at(self, replica: Replica, now: datetime) -> datetime:
        done = self.load.finishes_at(replica.pool, replica.replica_id, now)
        return max(now, done if replica.taken_at is None else min(done, replica.taken_at))

    def _tell(self, replica: Replica, what: Change, at: datetime) -> None:
        self._changes.append(
            ReplicaChange(at=at, replica_id=replica.replica_id, pool=replica.pool, what=what)
        )


def _is_warm(replica: Replica, before: Stage) -> bool:
    """Does a VM that is released from that stage go to the warm stock? One that served does, and one from
    that stock that nobody waited for; not what failed, was evicted, or never came to be ready."""
    if replica.taken_at is not None or before is Stage.FAILED:
        return False
    return replica.served or replica.start_kind is StartKind.WARM
