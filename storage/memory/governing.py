"""Overrides and modes in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from threading import RLock

from heliostat.errors import UnknownOverride
from heliostat.model.governance import Modes, ModeSetting, Override
from heliostat.model.names import PoolKey, RegionName
from storage.life import cancelled_override_record, override_ended
from storage.memory.audit import MemoryAudit
from storage.memory.leadership import MemoryLeadership


@dataclass(slots=True)
class _Kept:
    """An override, and whether it was cancelled."""

    override: Override
    cancelled: bool = False


class MemoryOverrides:
    """Keeps `OverrideBook`'s promise in dictionaries; a pool's newest is the last one put."""

    def __init__(self, leadership: MemoryLeadership, audit: MemoryAudit, lock: RLock) -> None:
        self._leadership = leadership
        self._audit = audit
        self._lock = lock
        self._kept: dict[str, _Kept] = {}
        self._newest: dict[PoolKey, str] = {}

    def put(self, override: Override) -> None:
        """Keep a new one, for the decision store; one that is known stays as it is."""
        if override.override_id not in self._kept:
            self._kept[override.override_id] = _Kept(override)
            self._newest[override.pool] = override.override_id

    def overrides(self, now: datetime) -> tuple[Override, ...]:
        with self._lock:
            newest = [self._kept[name] for _, name in sorted(self._newest.items())]
        return tuple(k.override for k in newest if not k.cancelled and k.override.in_force(now))

    def override(self, override_id: str) -> Override:
        with self._lock:
            return self._find(override_id).override

    def cancel_override(
        self, override_id: str, *, author: str, now: datetime, epoch: int
    ) -> Override:
        with self._lock:
            self._leadership.check(epoch)
            kept = self._find(override_id)
            kept.override = override_ended(kept.override, now)
            kept.cancelled = True
            self._audit.note(cancelled_override_record(override_id, author, now))
            return kept.override

    def _find(self, override_id: str) -> _Kept:
        kept = self._kept.get(override_id)
        if kept is None or kept.cancelled:
            raise UnknownOverride(override_id)
        return kept


class MemoryModes:
    """Keeps `ModeBook`'s promise in a dictionary."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._settings: dict[RegionName, ModeSetting] = {}

    def put(self, setting: ModeSetting) -> None:
        """Put a setting in force, for the decision store; its revision grows."""
        before = self._settings.get(setting.region)
        revision = 1 if before is None else before.revision + 1
        self._settings[setting.region] = replace(setting, revision=revision)

    def modes(self) -> Modes:
        with self._lock:
            return Modes(tuple(setting for _, setting in sorted(self._settings.items())))
