"""Leads or follows: acquires and renews the lease on real time, and says in which epoch we decide."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from heliostat.clock import monotonic_seconds
from heliostat.errors import HeliostatError, LeaseLost, NotLeader, SecondControlPlane
from heliostat.ports.leadership import Leadership, Lease
from services.wording import report, say

_log = logging.getLogger(__name__)

_ASK_AGAIN_SECONDS = 0.25


class Leader:
    """Holds the lease while it can; a thread of its own renews it three times per term."""

    def __init__(
        self,
        leadership: Leadership,
        *,
        name: str,
        term: timedelta,
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._leadership = leadership
        self._name = name
        self._address = ""
        self._term = term
        self._on_change = on_change
        self._lease: Lease | None = None
        self._leader_address = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def start(self, address: str) -> None:
        """Try for the lease, then keep at it; `address` is where the others send callers to.

        An SQLite file that another process holds is tried again for one term, in case that process
        died without giving it back; then raises SecondControlPlane. Raises StorageUnavailable.
        """
        self._address = address
        patience = monotonic_seconds() + self._term.total_seconds() + 1
        while True:
            try:
                self._try()
                break
            except SecondControlPlane:
                if monotonic_seconds() > patience or self._stop.wait(_ASK_AGAIN_SECONDS):
                    raise
        self._thread.start()

    def stop(self) -> None:
        """Give the lease back so that another can lead at once; repeatable."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        lease, self._lease = self._lease, None
        if lease is not None:
            try:
                self._leadership.release(lease)
                say(_log, "lease_released", epoch=lease.epoch)
            except HeliostatError as error:
                report(_log, "lease_not_released", error)

    @property
    def leading(self) -> bool:
        """True while the lease is held, as far as this process knows."""
        return self._lease is not None

    def epoch(self) -> int:
        """The epoch in which this control plane decides. Raises NotLeader naming the leader."""
        lease = self._lease
        if lease is None:
            where = self._leader_address
            raise NotLeader(
                f"{self._name} follows",
                leader=where,
                remedy=f"ask the leader at {where}" if where else "no leader is known, retry soon",
            )
        return lease.epoch

    def _keep(self) -> None:
        while not self._stop.wait(self._term.total_seconds() / 3):
            try:
                self._try()
            except Exception as error:  # noqa: BLE001 - tried again; the epoch in every write keeps us safe
                report(_log, "lease_not_renewed", error)

    def _try(self) -> None:
        lease = self._lease
        if lease is not None:
            try:
                self._lease = self._leadership.renew(lease, self._term)
                return
            except LeaseLost as error:
                report(_log, "lease_lost", error)
                self._follow("")
        acquired = self._leadership.acquire(self._name, self._address, self._term)
        if acquired is not None:
            self._lease, self._leader_address = acquired, self._address
            say(_log, "lease_acquired", epoch=acquired.epoch, name=self._name)
            self._on_change(True)
            return
        current = self._leadership.current()
        self._follow(current.address if current is not None else "")

    def _follow(self, address: str) -> None:
        self._leader_address = address
        if self._lease is not None:
            self._lease = None
            self._on_change(False)
