"""A cloud of VMs in memory that keeps the promises of VmCloud, and engines that answer after a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from heliostat.errors import CapacityUnavailable, DriverUnavailable, HeliostatError, QuotaExceeded
from heliostat.model.names import PoolKey
from services.agent.drivers.vm.cloud import (
    CloudVm,
    EngineReading,
    Purchase,
    RedeployState,
    VmState,
)

BOOT = timedelta(minutes=2)


@dataclass
class MemoryVms:
    """Sells VMs; `now` is moved by the test. Tokens are honoured once, capacity and quota are limits."""

    now: datetime
    free: int = 1_000
    quotas: dict[str, int] = field(default_factory=dict)
    boot: timedelta = BOOT
    lag: timedelta = timedelta(0)
    """A purchase is not listed before this much time passed."""
    refuse: list[HeliostatError] = field(default_factory=list)
    """Raised by the next purchases, one each, before anything happens."""
    refuse_all: HeliostatError | None = None
    """Raised by every purchase, also by a repeated one that happened the first time."""
    lose_answers: int = 0
    """So many purchases happen, and nobody hears of it."""
    forget_releases: int = 0
    """So many releases find nothing that they could end yet, as right after a purchase."""
    refuse_releases: HeliostatError | None = None
    away: bool = False
    vms: dict[str, CloudVm] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    in_flight: dict[str, int | None] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """VMs whose engine does not answer."""
    redeploys: RedeployState = RedeployState.SUCCEEDED
    while_redeploying: Callable[[str], None] = lambda _: None
    """Called with "tagged" once a redeploy changed the tags, with "begun" once the VM changes its model."""
    serves: dict[str, PoolKey] = field(default_factory=dict)
    """What is true of a VM, whatever its tags say."""
    unsaid: dict[str, HeliostatError] = field(default_factory=dict)
    """Raised instead of saying how far the redeploy of that VM is."""
    _sold: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _engine_since: dict[str, datetime] = field(default_factory=dict)

    def paid(self) -> int:
        return sum(vm.state is not VmState.GONE for vm in self.vms.values())

    # --- VmCloud -------------------------------------------------------------------------------

    def list_vms(self) -> tuple[CloudVm, ...]:
        self._call("list")
        return tuple(
            replace(vm, state=VmState.RUNNING) if vm.state is VmState.PENDING else vm
            for vm in self.vms.values()
            if self.now - vm.launched_at >= self.lag
        )

    def buy(self, purchase: Purchase) -> tuple[CloudVm, ...]:
        self._call("buy")
        if self.refuse_all is not None:
            raise self.refuse_all
        if purchase.token not in self._sold:
            if self.refuse:
                raise self.refuse.pop(0)
            self._sold[purchase.token] = self._sell(purchase)
        if self.lose_answers:
            self.lose_answers -= 1
            raise DriverUnavailable("the answer was lost")
        return tuple(self.vms[vm_id] for vm_id in self._sold[purchase.token])

    def release(self, vm_ids: Sequence[str]) -> None:
        self._call("release")
        if self.refuse_releases is not None:
            raise self.refuse_releases
        if self.forget_releases:
            self.forget_releases -= 1
            return
        for vm_id in vm_ids:
            self.vms[vm_id] = replace(self.vms[vm_id], state=VmState.GONE)

    def redeploy(self, vm_id: str, pool: PoolKey, command_id: str) -> str:
        self._call("redeploy")
        self.vms[vm_id] = replace(self.vms[vm_id], pool=pool)
        self.while_redeploying("tagged")
        self.serves[vm_id] = pool
        self._engine_since[vm_id] = self.now
        self.while_redeploying("begun")
        return f"op-{vm_id}"

    def redeploy_state(self, vm_id: str, operation_id: str) -> RedeployState:
        self._call("redeploy_state")
        if vm_id in self.unsaid:
            raise self.unsaid[vm_id]
        return self.redeploys

    # --- EngineProber --------------------------------------------------------------------------

    def probe(self, engines: Mapping[str, PoolKey]) -> Mapping[str, EngineReading]:
        by_address = {vm.address: vm_id for vm_id, vm in self.vms.items()}
        return {address: self._reading(by_address[address]) for address in engines}

    def _reading(self, vm_id: str) -> EngineReading:
        up = self.now - self._engine_since[vm_id] >= self.boot and vm_id not in self.broken
        if not up:
            return EngineReading(healthy=False)
        running = self.in_flight.get(vm_id, 0)
        return EngineReading(
            healthy=True,
            running_requests=running,
            waiting_requests=None if running is None else 0,
            kv_occupancy=0.1,
        )

    # --- what a test does ----------------------------------------------------------------------

    def kill(self, vm_id: str) -> None:
        self.vms[vm_id] = replace(self.vms[vm_id], state=VmState.GONE)

    def add_stranger(self, vm_id: str, pool: PoolKey | None, launched_at: datetime) -> None:
        self._put(CloudVm(vm_id=vm_id, state=VmState.RUNNING, launched_at=launched_at, pool=pool))

    def tag(self, pools: Mapping[str, PoolKey | None]) -> None:
        """List these VMs with these pools' tags from now on."""
        for vm_id, pool in pools.items():
            self.vms[vm_id] = replace(self.vms[vm_id], pool=pool)

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if self.away:
            raise DriverUnavailable("the cloud's API does not answer")

    def _sell(self, purchase: Purchase) -> tuple[str, ...]:
        quota = self.quotas.get(purchase.pool.vm_type, 1_000)
        standing = sum(
            vm.state is not VmState.GONE
            and vm.pool is not None
            and vm.pool.vm_type == purchase.pool.vm_type
            for vm in self.vms.values()
        )
        if standing + purchase.count > quota:
            raise QuotaExceeded(f"{purchase.pool.vm_type}: the quota is {quota}")
        count = min(purchase.count, self.free)
        if not count:
            raise CapacityUnavailable(f"no {purchase.pool.vm_type} is free")
        self.free -= count
        sold = []
        for _ in range(count):
            vm = CloudVm(
                vm_id=f"vm-{len(self.vms) + 1}",
                state=VmState.PENDING,
                launched_at=self.now,
                pool=purchase.pool,
                token=purchase.token,
            )
            self._put(vm)
            sold.append(vm.vm_id)
        return tuple(sold)

    def _put(self, vm: CloudVm) -> None:
        self.vms[vm.vm_id] = replace(vm, address=f"10.0.0.{len(self.vms) + 1}:8000")
        self._engine_since[vm.vm_id] = vm.launched_at
        if vm.pool is not None:
            self.serves[vm.vm_id] = vm.pool
