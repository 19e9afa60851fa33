"""The port of leader election: one control plane at a time, by a lease on the store's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A leadership: holder, address, epoch, and expiry by the store's clock."""

    holder: str
    address: str
    epoch: int
    expires_at: datetime


class Leadership(Protocol):
    """Gives leadership to one holder at a time; each change of holder raises the epoch."""

    def acquire(self, holder: str, address: str, ttl: timedelta) -> Lease | None:
        """The lease if it is free, expired or already ours (then renewed under the same epoch);
        None while another process holds it. On SQLite raises SecondControlPlane instead of None."""
        ...

    def renew(self, lease: Lease, ttl: timedelta) -> Lease:
        """The lease with a later expiry. Raises LeaseLost if it expired or was taken over."""
        ...

    def release(self, lease: Lease) -> None:
        """Release it so that another process can lead at once; repeatable."""
        ...

    def current(self) -> Lease | None:
        """The lease in force by the store's clock; None when there is no leader."""
        ...
