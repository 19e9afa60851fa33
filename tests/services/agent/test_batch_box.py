"""The queue on disk: every request in exactly one state, whoever asks how often, across restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from heliostat.model.dispatch import Placed, PlacementBasis
from heliostat.model.names import ModelName
from services.agent.journal.batch_box import KEEP_ENDED, BatchBox
from services.agent.journal.batch_entry import BatchState
from services.agent.journal.file import JournalFile
from services.agent.journal.making import SCHEMA_VERSION
from tests.builders import MINUTE, NOON, a_pool
from tests.support.agents import AgentDisk
from tests.support.dispatching import ALPHA, BATCH, an_ask

AT = NOON.timestamp()
PLACE = Placed(
    replica_id="vm-1",
    pool=a_pool(),
    address="10.0.0.1:8000",
    basis=PlacementBasis.SIGNALS,
    lease=MINUTE,
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[AgentDisk]:
    disk = AgentDisk(tmp_path)
    yield disk
    disk.close()


def put(box: BatchBox, *names: str, at: float = AT, gateway: str = "gw") -> None:
    asks = [(an_ask(name, tier=BATCH), NOON + timedelta(hours=1)) for name in names]
    box.put(asks, gateway_id=gateway, at=at)


def states(box: BatchBox, *names: str) -> list[BatchState | None]:
    found = box.find(names)
    return [found[name].state if name in found else None for name in names]


def test_requests_outlive_their_process(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    put(box, "a", "b", "c")
    box.place({"a": PLACE}, AT)
    box.end({"b": True}, AT)
    again = BatchBox(disk.file())
    assert states(again, "a", "b", "c", "d") == [
        BatchState.PLACED,
        BatchState.FINISHED,
        BatchState.WAITING,
        None,
    ]
    assert again.waiting() == again.waiting(ALPHA) == 1
    (entry,) = again.placed()
    assert (entry.ask, entry.place, entry.gateway_id) == (an_ask("a", tier=BATCH), PLACE, "gw")


def test_a_request_is_kept_once(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    put(box, "a")
    put(box, "a", gateway="other", at=AT + 5)
    assert box.waiting() == 1
    assert box.find(["a"])["a"].gateway_id == "gw"


def test_what_does_not_wait_is_not_placed(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    put(box, "a", "b")
    box.place({"a": PLACE}, AT)
    box.end({"b": False}, AT)
    box.place({"a": PLACE, "b": PLACE, "unknown": PLACE}, AT + 9)
    assert states(box, "a", "b") == [BatchState.PLACED, BatchState.GIVEN_UP]
    assert box.find(["a"])["a"].changed_at == AT
    assert box.waiting() == 0


def test_what_ended_never_changes(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    put(box, "a")
    assert box.end({"a": True, "unknown": True}, AT) == {"a": BatchState.WAITING}
    assert box.end({"a": False}, AT) == {"a": BatchState.FINISHED}
    box.put_back(["a"], AT, revive=True)
    assert states(box, "a") == [BatchState.FINISHED]
    assert box.waiting() == 0


def test_what_is_put_back_waits_under_the_next_attempt(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    put(box, "a", "b")
    box.place({"a": PLACE}, AT)
    box.put_back(["a", "b", "unknown"], AT)
    assert [box.find([name])[name].attempt for name in ("a", "b")] == [2, 1]
    assert box.waiting() == 2


def test_what_is_put_back_for_a_later_attempt_waits_under_that_one(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    put(box, "a", "b", "c")
    box.place({"a": PLACE, "b": PLACE}, AT)
    box.end({"b": False}, AT)
    box.put_back(["a", "b"], AT, attempts={"a": 5, "b": 7}, revive=True)
    box.follow({"c": 4, "a": 3})
    assert {name: one.attempt for name, one in box.find("abc").items()} == {"a": 5, "b": 7, "c": 4}


def test_those_of_absent_gateways_are_not_listed(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    put(box, "a", gateway="one")
    put(box, "b", gateway="two", at=AT + 60)
    put(box, "c", gateway="three")
    found = box.first_due(ALPHA, ["one", "two"], 10)
    assert [entry.ask.request_id for entry in found] == ["a", "b"]
    old = box.longest_waiting(ALPHA, ["one", "two"], since=NOON, limit=10)
    assert [entry.ask.request_id for entry in old] == ["a"]
    assert box.first_due(ModelName("beta"), ["one"], 10) == ()
    assert box.first_due(ALPHA, [], 10) == ()


def test_ended_requests_are_forgotten_after_a_day(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    put(box, "ended", "waiting")
    box.end({"ended": True}, AT)
    box.forget_ended(AT + KEEP_ENDED.total_seconds() - 1)
    assert states(box, "ended") == [BatchState.FINISHED]
    box.forget_ended(AT + KEEP_ENDED.total_seconds() + 1)
    assert states(box, "ended", "waiting") == [None, BatchState.WAITING]


def test_totals_say_what_waits_what_is_promoted_and_what_is_due(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    put(box, "old", at=AT - 3600)
    put(box, "new", "placed")
    box.place({"placed": PLACE}, AT)
    totals = box.totals(aged_since=NOON - MINUTE, due_by=NOON)[ALPHA]
    assert (totals.waiting, totals.placed, totals.promoted) == (2, 1, 1)
    assert totals.oldest_queued_at == NOON - timedelta(hours=1)
    assert totals.first_due == NOON + timedelta(hours=1)
    due = box.totals(aged_since=NOON - timedelta(days=1), due_by=NOON + timedelta(hours=2))
    assert due[ALPHA].promoted == 2


def test_a_journal_of_the_version_before_gets_its_queue(disk: AgentDisk) -> None:
    disk.file()
    disk.close()
    with sqlite3.connect(disk.path) as old:
        old.execute("DROP TABLE batch_requests")
        old.execute("PRAGMA user_version=1")
    old.close()
    file: JournalFile = disk.file()
    box = BatchBox(file)
    put(box, "a")
    assert box.waiting() == 1
    assert file.read("PRAGMA user_version") == [(SCHEMA_VERSION,)]


def test_what_waits_is_counted_by_the_minute_in_which_it_is_due(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    asks = [
        (an_ask(name, tier=BATCH), NOON + timedelta(seconds=seconds))
        for name, seconds in (("a", 0), ("b", 59), ("c", 60), ("d", 7200))
    ]
    box.put(asks, gateway_id="gw", at=AT)
    noon = int(AT) // 60
    assert box.waiting_by_minute(ALPHA) == {noon: 2, noon + 1: 1, noon + 120: 1}
    box.place({"a": PLACE, "c": PLACE}, AT)
    box.end({"b": True, "c": True}, AT)
    assert box.waiting_by_minute(ALPHA) == {noon + 120: 1}
    box.put_back(["a"], AT)
    assert box.waiting_by_minute(ALPHA) == {noon: 1, noon + 120: 1}
    again = BatchBox(disk.file())
    assert again.waiting_by_minute(ALPHA) == {noon: 1, noon + 120: 1}
    again.hand_over(["a", "b", "nobody"], "other")
    assert again.waiting_by_minute(ALPHA, {"gw"}) == {noon + 120: 1}
    assert again.waiting_by_minute(ALPHA, {"other"}) == {noon: 1}
    assert again.waiting_by_minute(ALPHA, ()) == {}
    assert again.waiting_by_minute(ModelName("beta")) == {}


def test_a_box_counts_as_used_until_it_remembers_nobody(disk: AgentDisk) -> None:
    box = BatchBox(disk.file())
    assert not box.used()
    put(box, "a")
    box.end({"a": True}, AT)
    box.forget_ended(AT + KEEP_ENDED.total_seconds() - 1)
    assert box.used()
    assert BatchBox(disk.file()).used()
    box = BatchBox(disk.file())
    box.forget_ended(AT + KEEP_ENDED.total_seconds() + 1)
    assert not box.used()
    put(box, "b")
    assert box.used()
