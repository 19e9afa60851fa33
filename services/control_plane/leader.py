"""Leads or follows: acquires and renews the lease in real time, and provides the current epoch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from heliostat.clock import monotonic_seconds
from heliostat.errors import HeliostatError, LeaseLost, NotLeader, SecondControlPlane
from heliostat.ports.leadership import Leadership, Lease
from services.log_events import report, say

_log = logging.getLogger(__name__)

_ASK_AGAIN_SECONDS = 0.25


class _Held(NamedTuple):
    """A lease, and until when it counts here: a term after it was asked for, on a clock of our own.

    The database counts from when it answered, so we stop no later than another can begin, however long
    an answer hangs on its way.
    """

    lease: Lease
    until_seconds: float


class Leader:
    """Holds the lease while it can; a thread of its own renews it three times per term."""

    def __init__(
        self,
        leadership: Leadership,
        *,
        name: str,
        term: timedelta,
        on_change: Callable[[bool], None] = lambda _: None,
        seconds: Callable[[], float] = monotonic_seconds,
    ) -> None:
        self._leadership = leadership
        self._name = name
        self._address = ""
        self._term = term
        self._on_change = on_change
        self._seconds = seconds
        self._held: _Held | None = None
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
        held, self._held = self._held, None
        if held is not None:
            try:
                self._leadership.release(held.lease)
                say(_log, "lease_released", epoch=held.lease.epoch)
            except HeliostatError as error:
                report(_log, "lease_not_released", error)

    @property
    def leading(self) -> bool:
        """True while the lease is held, as far as this process knows; false a term after it was last
        renewed, also while nobody answers."""
        return self._counts(self._held)

    def epoch(self) -> int:
        """The epoch in which this control plane decides. Raises NotLeader naming the leader."""
        held = self._held
        if held is not None and self._counts(held):
            return held.lease.epoch
        said = (
            f"{self._name} follows" if held is None else f"{self._name} could not renew its lease"
        )
        where = self._leader_address if held is None else ""
        raise NotLeader(
            said,
            leader=where,
            remedy=f"ask the leader at {where}" if where else "no leader is known; retry soon",
        )

    def _counts(self, held: _Held | None) -> bool:
        return held is not None and self._seconds() < held.until_seconds

    def _keep(self) -> None:
        while not self._stop.wait(self._term.total_seconds() / 3):
            try:
                self._try()
            except Exception as error:  # noqa: BLE001 - tried again; the epoch in every write keeps us safe
                report(_log, "lease_not_renewed", error)

    def _try(self) -> None:
        held, until = self._held, self._seconds() + self._term.total_seconds()
        if held is not None:
            try:
                self._held = _Held(self._leadership.renew(held.lease, self._term), until)
                return
            except LeaseLost as error:
                report(_log, "lease_lost", error)
                self._follow("")
                until = self._seconds() + self._term.total_seconds()
        acquired = self._leadership.acquire(self._name, self._address, self._term)
        if acquired is not None:
            self._held, self._leader_address = _Held(acquired, until), self._address
            say(_log, "lease_acquired", epoch=acquired.epoch, name=self._name)
            self._on_change(True)
            return
        current = self._leadership.current()
        self._follow(current.address if current is not None else "")

    def _follow(self, address: str) -> None:
        self._leader_address = address
        if self._held is not None:
            self._held = None
            self._on_change(False)
