"""The journal's file: lost, locked, newer, full or read-only, each said and none called another."""

import errno
import os
import pwd
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path, PosixPath

import pytest

from heliostat.clock import SystemClock
from heliostat.errors import (
    CorruptRoutingFile,
    JournalInUse,
    MigrationAhead,
    SequenceGap,
    StorageUnavailable,
)
from heliostat.model.command import Acknowledgement, CommandState
from heliostat.model.fleet import LeadTimeSample, StartKind
from heliostat.model.names import PoolKey
from heliostat.model.routing import RoutingTable
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.journal.brake import read_brake
from services.agent.journal.file import JournalFile
from services.agent.journal.operator import brake, set_brake
from services.agent.journal.owner import as_owner
from services.agent.journal.routing_file import read_routing_file, write_routing_file
from tests.builders import (
    MINUTE,
    NOON,
    a_batch,
    a_catalogue,
    a_pool,
    a_window,
    an_observation,
)
from tests.support.agents import EAST, AgentDisk, a_command
from tests.support.users import NOBODY, open_folder, somebody_else

FULL = 2
"""SQLite's word for: on the disk before the commit is answered."""
NAMED, NAMELESS = 1, 10_001
"""Users whom this machine knows, and only a container knows."""


def a_table(version: str = "7") -> RoutingTable:
    return RoutingTable(
        origin=EAST, valid_from=NOON, stale_after=5 * MINUTE, entries=(), version=version
    )


@pytest.mark.parametrize("garbage", [b"no database at all", b"SQLite format 3\0" + b"x" * 5000])
def test_a_corrupt_journal_is_moved_aside_and_a_fresh_life_begins(
    tmp_path: Path, garbage: bytes
) -> None:
    disk = AgentDisk(tmp_path)
    before = disk.file().incarnation
    disk.close()
    for part in tmp_path.glob("journal.db*"):
        part.unlink()
    disk.path.write_bytes(garbage)
    file = disk.file(NOON)
    assert file.loss is not None
    (aside,) = tmp_path.glob("journal.db.corrupt-*")
    assert aside.name in str(file.loss)
    assert aside.read_bytes() == garbage
    assert file.incarnation >= before
    assert disk.journal_in(file).open_commands() == ()
    disk.close()


def test_each_life_after_a_loss_has_a_higher_incarnation(tmp_path: Path) -> None:
    disk, lives = AgentDisk(tmp_path), []
    for _ in range(3):
        lives.append(disk.file(NOON).incarnation)
        disk.close()
        disk.path.write_bytes(b"garbage")
    assert lives[0] < lives[1] < lives[2]
    assert len(list(tmp_path.glob("*.corrupt-*"))) == 2


def test_two_agents_on_one_journal_are_refused(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    disk.file()
    with pytest.raises(JournalInUse):
        JournalFile.open(disk.path, NOON)
    disk.close()


def test_a_newer_agents_journal_is_not_touched(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    with disk.file().transaction(durable=True) as write:
        write.execute("PRAGMA user_version=99")
    disk.close()
    with pytest.raises(MigrationAhead):
        disk.file()
    assert list(tmp_path.glob("*.corrupt-*")) == []


def test_a_full_disk_is_typed_and_leaves_what_was_there(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    file = disk.file()
    journal = disk.journal_in(file)
    journal.receive([a_command()])
    (pages,) = file.read("PRAGMA page_count")[0]
    file.read(f"PRAGMA max_page_count={pages}")
    flood = [a_command(number=number, reason="x" * 4000) for number in range(2, 200)]
    with pytest.raises(StorageUnavailable, match="full"):
        journal.receive(flood)
    assert journal.open_commands() == (a_command(),)
    disk.close()


def test_a_full_disk_ends_the_day_it_has_room_again(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    file = disk.file()
    journal = disk.journal_in(file)
    (pages,) = file.read("PRAGMA page_count")[0]
    file.read(f"PRAGMA max_page_count={pages}")
    order = a_command(reason="x" * 100_000)
    with pytest.raises(StorageUnavailable, match="free space on its disk"):
        journal.receive([order])
    file.read("PRAGMA max_page_count=100000")
    journal.receive([order])
    assert journal.open_commands() == (order,)
    disk.close()


def test_a_directory_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "journal.db"
    with pytest.raises(StorageUnavailable, match=r"file/journal\.db: .*; make .*file readable"):
        JournalFile.open(path, NOON)


def test_a_journal_that_may_only_be_read_is_not_called_corrupt(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    file = disk.file()
    file.read("PRAGMA query_only=1")
    with pytest.raises(StorageUnavailable, match="readonly database; make the file"):
        disk.journal_in(file).receive([a_command()])
    disk.close()
    assert list(tmp_path.glob("*.corrupt-*")) == []


def test_an_operator_pulls_the_brake_while_the_agent_runs(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    file = disk.file()
    set_brake(disk.path, paused=True, author="ops", now=NOON)
    assert disk.journal_in(file).paused()
    assert read_brake(file).author == "ops"
    set_brake(disk.path, paused=False, author="ops", now=NOON + MINUTE)
    assert not brake(disk.path).paused
    disk.close()


WITHOUT_ROOM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))  # no file may grow beyond: a full disk
from services.cli.main import main
sys.argv = ["heliostat", "agent", *sys.argv[1:]]
sys.exit(main())
"""


def without_room(disk: AgentDisk, *words: str) -> subprocess.CompletedProcess[str]:
    """An operator's command on a disk that takes no more; -B, since Python would leave bytecode that is
    cut off for whoever imports next."""
    words = (sys.executable, "-B", "-c", WITHOUT_ROOM, *words, "--data-dir", str(disk.folder))
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_the_brake_is_pulled_and_released_on_a_full_disk(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    file = disk.file()
    assert without_room(disk, "adopt", "i-1").returncode == 69, "the journal has room after all"
    for word, paused in (("pause", True), ("resume", False), ("pause", True)):
        ran = without_room(disk, word)
        assert ran.returncode == 0, ran.stderr
        assert disk.journal_in(file).paused() is paused
    disk.close()
    assert brake(disk.path).paused, "an agent that starts again is still braked"
    set_brake(disk.path, paused=False, author="ops", now=SystemClock().now() + MINUTE)
    assert not brake(disk.path).paused
    set_brake(disk.path, paused=True, author="ops", now=NOON)
    assert brake(disk.path).at == NOON, "the word beside the journal was cleared"


def test_a_brake_word_that_cannot_be_read_brakes(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    disk.file()
    disk.close()
    disk.path.with_name(f"{disk.path.name}.brake").write_text("{")
    assert brake(disk.path).paused
    assert "cannot be read" in brake(disk.path).author
    set_brake(disk.path, paused=False, author="ops", now=NOON)
    assert not brake(disk.path).paused


def test_a_brake_without_a_journal_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="no journal"):
        set_brake(tmp_path / "none.db", paused=True, author="ops", now=NOON)


class Barred(PosixPath):
    """Of a folder that this process may not enter."""

    def exists(self) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_journal_in_a_folder_that_may_not_be_entered_is_an_error_with_a_remedy(
    tmp_path: Path,
) -> None:
    """Asked for by the folder's owner, whom no other user's name would help."""
    with pytest.raises(
        StorageUnavailable, match=r"journal\.db: Permission denied; make .* readable"
    ):
        set_brake(Barred(tmp_path / "journal.db"), paused=True, author="ops", now=NOON)


@pytest.fixture(name="foreign")
def a_journal_of_an_agent_that_is_another_user() -> Iterator[Path]:
    with open_folder() as folder:
        disk = AgentDisk(folder / "agent")
        disk.file()
        disk.close()
        yield disk.path


@pytest.mark.parametrize(
    ("folder_mode", "journal_mode", "said"),
    [
        (0o700, 0o600, "Permission denied; run the command as {agent}, who owns {folder}"),
        (0o755, 0o600, "unable to open database file; run the command as {agent}, who owns {path}"),
        (0o755, 0o644, "readonly database; run the command as {agent}, who owns {path}"),
    ],
)
@pytest.mark.parametrize("agent", [NAMED, NAMELESS])
def test_an_operator_whom_the_disk_refuses_is_told_as_whom_to_run(
    foreign: Path, agent: int, folder_mode: int, journal_mode: int, said: str
) -> None:
    for place, mode in ((foreign, journal_mode), (foreign.parent, folder_mode)):
        os.chown(place, agent, agent)
        place.chmod(mode)
    name = pwd.getpwuid(agent).pw_name if agent == NAMED else f"user {agent}"
    wanted = said.format(agent=name, folder=foreign.parent, path=foreign)
    with somebody_else(), pytest.raises(StorageUnavailable) as refused:
        set_brake(foreign, paused=True, author="ops", now=NOON)
    assert str(refused.value).endswith(wanted)


def test_the_owner_of_a_journal_is_not_told_to_become_somebody_else(foreign: Path) -> None:
    assert as_owner(foreign) == "", "root may do everything"
    os.chown(foreign, NOBODY, NOBODY)
    with somebody_else():
        assert as_owner(foreign) == ""


def test_a_fresh_journal_takes_the_table_from_the_routing_file(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    disk.journal().put_table(a_table())
    disk.close()
    disk.path.unlink()
    assert disk.journal().table() == a_table()
    disk.close()


@pytest.mark.parametrize(
    "spoil", [lambda t: t.replace('"7"', '"8"'), lambda t: t[:40], lambda _: ""]
)
def test_a_corrupt_routing_file_is_not_used_and_said_aloud(tmp_path: Path, spoil: object) -> None:
    path = tmp_path / "routes.json"
    write_routing_file(path, a_table())
    path.write_text(spoil(path.read_text()))  # type: ignore[operator]  # a parameter of the test
    with pytest.raises(CorruptRoutingFile):
        read_routing_file(path)
    disk = AgentDisk(tmp_path)
    journal = disk.journal()
    assert journal.table() is None
    assert journal.routing_loss is not None
    disk.close()


def test_two_gateways_that_report_the_same_window_both_count(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    usage = disk.journal().usage
    for source in ("east/gateway-1", "east/gateway-2"):
        usage.take(a_batch([a_window()], source_id=source))
    sent = usage.outgoing(10)
    assert [batch.source_id for batch in sent] == ["east/gateway-1", "east/gateway-2"]
    assert all(list(batch.offered_requests) == [10] for batch in sent)
    disk.close()


def test_a_gateways_replay_is_answered_and_kept_once(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    usage = disk.journal().usage
    receipts = [usage.take(a_batch([a_window()], source_id="east/gateway-1")) for _ in range(2)]
    assert [r.replayed for r in receipts] == [False, True]
    assert usage.waiting() == 1
    disk.close()


def test_a_gateways_gap_is_refused_and_a_new_life_may_start_anywhere(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    usage = disk.journal().usage
    usage.take(a_batch([a_window()], source_id="east/gateway-1"))
    with pytest.raises(SequenceGap) as gap:
        usage.take(a_batch([a_window()], source_id="east/gateway-1", sequence=3))
    assert gap.value.expected == 2
    usage.take(a_batch([a_window()], source_id="east/gateway-1", incarnation=2, sequence=9))
    assert [batch.sequence for batch in usage.outgoing(10)] == [1, 2]
    disk.close()


def test_an_order_of_another_database_with_the_same_id_is_a_new_one(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    journal = disk.journal()
    journal.receive([a_command(), a_command(number=2)])
    journal.acknowledge(
        Acknowledgement(
            command_id=a_command().command_id, region=EAST, state=CommandState.LEASED, at=NOON
        )
    )
    later = a_command(created_at=NOON + timedelta(days=1), not_after=NOON + timedelta(days=2))
    journal.receive([later])
    assert journal.open_commands() == (a_command(number=2), later)
    assert journal.unsent_acks() == (), (
        "a word on the old command would be taken for one on the new"
    )
    journal.acknowledge(
        Acknowledgement(
            command_id=later.command_id,
            region=EAST,
            state=CommandState.APPLIED,
            at=NOON,
            command_created_at=a_command().created_at,
        )
    )
    assert journal.open_commands() == (a_command(number=2), later), "it came while a tick went on"
    assert journal.unsent_acks() == ()
    disk.close()


def test_the_commands_of_an_older_agents_journal_are_numbered(tmp_path: Path) -> None:
    disk = AgentDisk(tmp_path)
    disk.journal().receive([a_command(), a_command(number=2)])
    disk.close()
    with sqlite3.connect(disk.path) as old:
        old.executescript(
            "CREATE TABLE before (command_id TEXT PRIMARY KEY, created_at INTEGER NOT NULL,"
            " ended INTEGER NOT NULL, body BLOB NOT NULL);"
            "INSERT INTO before SELECT command_id, created_at, ended, body FROM commands;"
            "DROP TABLE commands; ALTER TABLE before RENAME TO commands; PRAGMA user_version=2;"
        )
    old.close()
    journal = disk.journal()
    assert journal.open_commands() == (a_command(), a_command(number=2))
    journal.receive([a_command(number=0)])
    assert journal.open_commands()[-1] == a_command(number=0)
    disk.close()


@pytest.mark.parametrize(
    ("pool", "lead_time"),
    [(a_pool(), -5 * MINUTE), (a_pool(), timedelta(days=30)), (a_pool(model="alpha-1"), MINUTE)],
)
def test_a_start_that_nobody_would_take_does_not_hold_up_what_stands(
    tmp_path: Path, pool: PoolKey, lead_time: timedelta
) -> None:
    def start(pool: PoolKey, lead_time: timedelta) -> LeadTimeSample:
        return LeadTimeSample(
            pool=pool, start_kind=StartKind.COLD, lead_time=lead_time, ready_at=NOON
        )

    disk = AgentDisk(tmp_path)
    journal = disk.journal()
    good = start(a_pool(), 8 * MINUTE)
    journal.put_observation(an_observation(lead_times=(good, start(pool, lead_time))))
    later = an_observation(at=NOON + MINUTE)
    journal.put_observation(later)
    assert journal.unsent_observation() == replace(later, lead_times=(good,))
    disk.close()


def test_our_own_windows_are_on_disk_before_their_number_is_used(tmp_path: Path) -> None:
    file = JournalFile.open(tmp_path / "journal.db", NOON)
    usage = SqliteJournal(file, catalogue=a_catalogue(), source_id="east/agent").usage
    usage.append([a_window()])
    ((level,),) = file.read("PRAGMA synchronous")
    assert level == FULL
    file.close()
