"""Whether a simulated region sells a VM now: quota, scripted shortages, random refusals, warm stock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from numpy.random import SeedSequence

from heliostat.errors import CapacityUnavailable, DriverUnavailable, QuotaExceeded, Throttled
from heliostat.model.fleet import StartKind
from heliostat.model.names import RegionName, VmTypeName
from simulation.chance import generator
from simulation.replica import Replica
from simulation.troubles import CloudTroubles


class Market:
    """Sells VMs or says why not; counts refusals and the VMs that were kept warm."""

    def __init__(
        self,
        *,
        region: RegionName,
        quotas: Mapping[VmTypeName, int],
        troubles: CloudTroubles,
        seeds: SeedSequence,
        warm_vms: Mapping[VmTypeName, int],
    ) -> None:
        self.refused = 0
        self._region = region
        self._quotas = quotas
        self._troubles = troubles
        self._seeds = seeds
        self._warm_most = dict(warm_vms)
        self._warm = Counter(self._warm_most)
        self._sold: Counter[str] = Counter()
        """VMs by the command that they were sold to."""

    def check_api(self, now: datetime) -> None:
        """Raises DriverUnavailable or Throttled while the troubles say so."""
        if self._troubles.lost(now) or any(now in span for span in self._troubles.api_outages):
            raise DriverUnavailable(f"the cloud API of {self._region} does not answer")
        if any(now in span for span in self._troubles.throttles):
            raise Throttled(f"the cloud API of {self._region} is throttling")

    def sell(
        self, vm_type: VmTypeName, standing: Collection[Replica], command_id: str, now: datetime
    ) -> StartKind:
        """How the VM that is sold starts. Raises QuotaExceeded, CapacityUnavailable."""
        try:
            self._check_quota(vm_type, standing)
            self._check_capacity(vm_type, standing, command_id, now)
        except (QuotaExceeded, CapacityUnavailable):
            self.refused += 1
            raise
        self._sold[command_id] += 1
        if not self._warm[vm_type]:
            return StartKind.COLD
        self._warm[vm_type] -= 1
        return StartKind.WARM

    def take_back(self, vm_type: VmTypeName) -> None:
        """A warm VM was released; it stays warm while the stock is not full."""
        self._warm[vm_type] = min(self._warm_most.get(vm_type, 0), self._warm[vm_type] + 1)

    def _check_quota(self, vm_type: VmTypeName, standing: Collection[Replica]) -> None:
        quota = self._quotas.get(vm_type, 0)
        if sum(replica.pool.vm_type == vm_type for replica in standing) >= quota:
            raise QuotaExceeded(f"{self._region} has {quota} {vm_type} VMs, its entire quota")

    def _check_capacity(
        self, vm_type: VmTypeName, standing: Collection[Replica], command_id: str, now: datetime
    ) -> None:
        if self._troubles.lost(now):
            raise CapacityUnavailable(f"{self._region} is lost")
        for shortage in self._troubles.shortages:
            if shortage.vm_type != vm_type or now not in shortage.span:
                continue
            sold = sum(
                replica.pool.vm_type == vm_type and replica.ordered_at in shortage.span
                for replica in standing
            )
            if sold >= shortage.free_vms:
                raise CapacityUnavailable(f"{self._region} has no free {vm_type} VM")
        # Luck belongs to the command's next VM: asked for again, it is the same.
        luck = generator(self._seeds, "sale", command_id, self._sold[command_id])
        if luck.random() < self._troubles.refusal_probability:
            raise CapacityUnavailable(f"{self._region} has no free {vm_type} VM for {command_id}")
