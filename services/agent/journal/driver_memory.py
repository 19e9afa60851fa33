"""Intents, VMs, desired targets and adoptions of the VM driver, kept in the agent's journal file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from heliostat.model.instants import to_epoch
from heliostat.model.names import PoolKey
from services.agent.drivers.vm.memory import Intent, VmRecord
from services.agent.journal.file import JournalFile
from services.agent.journal.rows import INTENT, VM


class SqliteDriverMemory:
    """Implements `services.agent.drivers.vm.memory.DriverMemory`; every save outlives a power cut."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file

    def intent(self, intent_id: str) -> Intent | None:
        rows = self._file.read("SELECT body FROM intents WHERE intent_id = ?", (intent_id,))
        return self._file.decoded(INTENT.validate_json, rows[0][0]) if rows else None

    def intents(self) -> tuple[Intent, ...]:
        rows = self._file.read("SELECT body FROM intents ORDER BY intent_id")
        return tuple(self._file.decoded(INTENT.validate_json, body) for (body,) in rows)

    def vms(self) -> tuple[VmRecord, ...]:
        rows = self._file.read("SELECT body FROM vms ORDER BY number")
        return tuple(self._file.decoded(VM.validate_json, body) for (body,) in rows)

    def desired(self) -> Mapping[PoolKey, int]:
        rows = self._file.read("SELECT pool, target FROM desired")
        return {PoolKey.parse(pool): target for pool, target in rows}

    def save(
        self,
        *,
        intent: Intent | None = None,
        vms: Iterable[VmRecord] = (),
        desired: Mapping[PoolKey, int] | None = None,
    ) -> None:
        with self._file.transaction(durable=True) as write:
            if intent is not None:
                write.execute(
                    "INSERT OR REPLACE INTO intents VALUES (?, ?, ?)",
                    (
                        intent.intent_id,
                        _epoch(intent.closed_at),
                        INTENT.dump_json(intent).decode(),
                    ),
                )
            for record in vms:
                write.execute(
                    "INSERT INTO vms (vm_id, gone_at, body) VALUES (?, ?, ?) ON CONFLICT (vm_id) "
                    "DO UPDATE SET gone_at = excluded.gone_at, body = excluded.body",
                    (record.vm_id, _epoch(record.gone_at), VM.dump_json(record).decode()),
                )
                write.execute("DELETE FROM adoptions WHERE vm_id = ?", (record.vm_id,))
            for pool, target in (desired or {}).items():
                write.execute("INSERT OR REPLACE INTO desired VALUES (?, ?)", (str(pool), target))

    def prune(self, before: datetime) -> None:
        limit = (to_epoch(before),)
        if not self._file.read(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM vms WHERE gone_at < ?1) "
            "OR EXISTS (SELECT 1 FROM intents WHERE closed_at < ?1)",
            limit,
        ):
            return
        with self._file.transaction(durable=False) as write:
            write.execute("DELETE FROM vms WHERE gone_at < ?", limit)
            write.execute("DELETE FROM intents WHERE closed_at < ?", limit)

    def adoptions(self) -> frozenset[str]:
        return frozenset(vm_id for (vm_id,) in self._file.read("SELECT vm_id FROM adoptions"))


def _epoch(instant: datetime | None) -> int | None:
    return None if instant is None else to_epoch(instant)
