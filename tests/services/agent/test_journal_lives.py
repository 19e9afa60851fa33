"""A journal's lives: each start counts anew, and rows that were damaged end a life instead of every tick."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from heliostat.clock import SteppedClock
from heliostat.errors import CorruptJournal
from heliostat.model.command import Acknowledgement, CommandState
from heliostat.model.instants import to_epoch
from heliostat.model.routing import RoutingTable
from services.agent.drivers.vm.memory import Intent, VmRecord
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.journal.driver_memory import SqliteDriverMemory
from services.agent.journal.file import JournalFile
from services.agent.journal.trying_again import Again
from services.agent.journal.usage_box import RefusedLimits, UsageBox
from storage.memory import memory_stores
from tests.builders import MINUTE, NOON, a_batch, a_pool, a_window, an_observation
from tests.support.agents import EAST, AgentDisk, a_command


def test_each_start_is_a_new_life_and_unsent_usage_leaves_under_it(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    first = disk.journal().append_usage([a_window()])
    journal = disk.journal()
    second = journal.append_usage([a_window(NOON + MINUTE)])
    assert first is not None
    assert second is not None
    assert second.incarnation > first.incarnation
    leaving = journal.unsent_usage(9)
    assert [(b.incarnation, b.sequence) for b in leaving] == [
        (second.incarnation, 1),
        (second.incarnation, 2),
    ]
    assert [b.incarnation for b in journal.usage.outgoing(9)] == [second.incarnation] * 2
    journal.usage_sent(second.incarnation, 2)
    assert journal.unsent_usage(9) == ()
    disk.close()


def test_numbers_that_a_restored_snapshot_took_back_are_never_given_again(tmp_path: Path) -> None:
    """A power cut that ends the write-ahead log early leaves the same: an older state of the file."""
    history = memory_stores(SteppedClock(NOON)).usage
    live, kept = tmp_path / "live", tmp_path / "kept"
    disk = AgentDisk(live)
    disk.journal().append_usage([a_window()])
    disk.close()
    shutil.copytree(live, kept)
    journal = disk.journal(NOON + MINUTE)
    for number in range(1, 4):
        journal.append_usage([a_window(NOON + MINUTE * number)])
    history.record(journal.unsent_usage(9))
    disk.close()
    shutil.rmtree(live)
    shutil.copytree(kept, live)
    journal = disk.journal(NOON + 2 * MINUTE)
    journal.append_usage([a_window(NOON + MINUTE * 9)])
    receipts = history.record(journal.unsent_usage(9))
    assert [receipt.replayed for receipt in receipts] == [False, False]
    disk.close()


def test_two_journals_whose_agents_start_in_one_second_number_under_lives_of_their_own(
    tmp_path: Path,
) -> None:
    history = memory_stores(SteppedClock(NOON)).usage
    for number in (11, 22):
        disk = AgentDisk(tmp_path / str(number))
        with disk.file().transaction(durable=True) as write:
            write.execute("UPDATE meta SET value = ? WHERE key = 'journal_id'", (number,))
        journal = disk.journal(NOON + MINUTE)
        journal.append_usage([a_window(NOON + MINUTE * number)])
        (receipt,) = history.record(journal.unsent_usage(9))
        assert not receipt.replayed
        disk.close()


def test_a_life_is_higher_than_those_before_also_after_the_clock_was_set_back(
    tmp_path: Path,
) -> None:
    """Also than the lives of older agents, whose incarnation was the second of their start."""
    disk, lives = AgentDisk(tmp_path), [to_epoch(NOON)]
    with disk.file().transaction(durable=True) as write:
        write.execute("UPDATE meta SET value = ? WHERE key = 'incarnation'", (lives[0],))
    for start in (NOON, NOON, NOON - timedelta(days=1), NOON + timedelta(days=1)):
        journal = disk.journal(start)
        journal.append_usage([a_window()])
        lives.append(journal.life.incarnation)
    assert lives == sorted(set(lives))
    disk.close()


def test_refused_windows_of_a_day_to_come_hold_up_no_others(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    journal = disk.journal()
    tomorrow = [NOON + timedelta(days=1) + MINUTE * n for n in range(200)]
    for sequence, start in enumerate([*tomorrow, NOON], start=1):
        journal.append_usage([a_window(start)])
        journal.usage.set_aside("east/agent", sequence, "ahead", Again.CLOCKS)
    later = NOON + timedelta(hours=2)
    assert sum(journal.usage.send_again(later) for _ in range(4)) == 1
    assert sum(journal.usage.send_again(later) for _ in range(4)) == 0
    assert sum(journal.usage.send_again(NOON + timedelta(days=2)) for _ in range(4)) == 200
    disk.close()


def refused_on_the_way(usage: UsageBox, again: Again) -> None:
    """Whatever is unsent is refused."""
    for batch in usage.own(1_000):
        usage.set_aside(batch.source_id, batch.sequence, "unheard of", again)
        usage.own_sent(usage.incarnation, batch.sequence)


def test_what_waits_for_a_name_outlives_any_number_of_refusals(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    journal = disk.journal(refused_limits=RefusedLimits(over=5))
    journal.append_usage([a_window()])
    refused_on_the_way(journal.usage, Again.NAMES)
    tries = []
    for hour in range(100):
        now = NOON + timedelta(hours=hour)
        for minute in range(3):
            journal.append_usage([a_window(now + minute * MINUTE)])
        refused_on_the_way(journal.usage, Again.NEVER)
        if journal.usage.send_again(now):
            tries.append(hour)
        refused_on_the_way(journal.usage, Again.NAMES)
    assert tries == [1, 2, 3, 4, 5, 6, 11, 22, 43, 86]
    assert journal.usage.kept_apart() <= 5 + 3
    disk.close()


def test_of_what_waits_the_latest_are_kept(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    journal = disk.journal(refused_limits=RefusedLimits(waiting=150))
    for minute in range(200):
        journal.append_usage([a_window(NOON + minute * MINUTE)])
    refused_on_the_way(journal.usage, Again.NAMES)
    for _ in range(4):
        assert journal.usage.send_again(NOON) == 0
    assert journal.usage.kept_apart() == 150
    sent = sum(journal.usage.send_again(NOON + timedelta(days=1)) for _ in range(4))
    oldest = min(start for batch in journal.usage.own(1_000) for start in batch.window_start)
    assert (sent, oldest) == (150, to_epoch(NOON + 50 * MINUTE))
    disk.close()


def test_a_window_beyond_every_calendar_stays_apart_and_ends_no_tick(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    usage = disk.journal().usage
    batch = replace(a_batch([a_window()], source_id="east/g"), window_start=[60 * 10**15])
    usage.take(batch)
    usage.set_aside("east/g", 1, "ahead", Again.CLOCKS)
    assert usage.send_again(NOON + timedelta(days=1)) == 0
    assert usage.kept_apart() == 1
    disk.close()


DAMAGED: dict[str, bytes | str] = {
    "commands": b"\x0a\xff\xff",
    "words": b"\xff",
    "usage": b"\x0a\xff\xff",
    "observation": b"\x0a\x02\xff\xfe",
    "routes": b"\xff",
    "intents": "{",
    "vms": "{}",
}


def full_of_rows(disk: AgentDisk) -> JournalFile:
    """A journal with a row in each of its tables with bodies."""
    file = disk.file()
    journal = disk.journal_in(file)
    journal.receive([a_command()])
    journal.acknowledge(
        Acknowledgement(
            command_id=a_command().command_id, region=EAST, state=CommandState.LEASED, at=NOON
        )
    )
    journal.append_usage([a_window()])
    journal.put_observation(an_observation())
    journal.put_table(
        RoutingTable(origin=EAST, valid_from=NOON, stale_after=5 * MINUTE, entries=(), version="7")
    )
    memory = SqliteDriverMemory(file)
    memory.save(
        intent=Intent(intent_id="1", command_id="1", targets=((a_pool(), 2),)),
        vms=[VmRecord(vm_id="i-1", pool=a_pool(), intent_id="1", ordered_at=NOON)],
    )
    return file


@pytest.mark.parametrize("table", DAMAGED)
def test_a_damaged_row_that_the_files_own_check_passes_is_a_loss(
    tmp_path: Path, table: str
) -> None:
    disk = AgentDisk(tmp_path)
    file = full_of_rows(disk)
    damage(file, table, DAMAGED[table])
    with pytest.raises(CorruptJournal, match="moves the file aside"):
        read_all(disk.journal_in(file), SqliteDriverMemory(file))
    disk.close()
    loss = disk.file(NOON + MINUTE).loss
    assert loss is not None
    assert f"a row of {table} is damaged" in str(loss)
    assert len(list(tmp_path.glob("journal.db.corrupt-*[0-9]"))) == 1
    disk.close()


def test_a_text_that_is_none_is_damage_and_no_disk_that_is_busy(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    file = full_of_rows(disk)
    with file.transaction(durable=True) as write:
        write.execute("UPDATE intents SET body = CAST(X'FF' AS TEXT)")
    with pytest.raises(CorruptJournal):
        SqliteDriverMemory(file).intents()
    disk.close()
    assert disk.file(NOON + MINUTE).loss is not None
    disk.close()


def test_rows_that_are_whole_are_read_again_and_nothing_is_moved_aside(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    full_of_rows(disk)
    assert disk.file(NOON + MINUTE).loss is None
    disk.close()


def damage(file: JournalFile, table: str, body: bytes | str) -> None:
    with file.transaction(durable=True) as write:
        write.execute(f"UPDATE {table} SET body = ?", (body,))


def read_all(journal: SqliteJournal, memory: SqliteDriverMemory) -> None:
    journal.open_commands()
    journal.unsent_acks()
    journal.unsent_usage(9)
    journal.unsent_observation()
    journal.table()
    memory.intents()
    memory.vms()
