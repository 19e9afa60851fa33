"""Leadership in one process, on a clock that is passed in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import RLock

from heliostat.errors import Fenced, LeaseLost
from heliostat.ports.clock import Clock
from heliostat.ports.leadership import Lease


class MemoryLeadership:
    """One lease, and the fence that every deciding write goes through."""

    def __init__(self, clock: Clock, lock: RLock) -> None:
        self._clock = clock
        self._lock = lock
        self._lease: Lease | None = None
        self._epoch = 0

    def acquire(self, holder: str, address: str, ttl: timedelta) -> Lease | None:
        with self._lock:
            held = self.current()
            if held is not None and held.holder != holder:
                return None
            if held is None:
                self._epoch += 1
            self._lease = Lease(
                holder=holder,
                address=address,
                epoch=self._epoch,
                expires_at=self._clock.now() + ttl,
            )
            return self._lease

    def renew(self, lease: Lease, ttl: timedelta) -> Lease:
        with self._lock:
            held = self.current()
            if held is None or (held.holder, held.epoch) != (lease.holder, lease.epoch):
                raise LeaseLost(f"{lease.holder} no longer leads in epoch {lease.epoch}")
            self._lease = replace(held, expires_at=self._clock.now() + ttl)
            return self._lease

    def release(self, lease: Lease) -> None:
        with self._lock:
            held = self._lease
            if held is not None and (held.holder, held.epoch) == (lease.holder, lease.epoch):
                self._lease = None

    def current(self) -> Lease | None:
        with self._lock:
            lease = self._lease
            return lease if lease is not None and lease.expires_at > self._clock.now() else None

    def check(self, epoch: int) -> None:
        """Raise Fenced unless a leader leads in this epoch now."""
        held = self.current()
        if held is None or held.epoch != epoch:
            raise Fenced(
                f"epoch {epoch} is over", remedy="stop deciding; another control plane may lead"
            )
