"""What is booked on replicas: counters are exact, whatever comes, in whatever order, however often."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from heliostat.errors import (
    AlreadyBooked,
    AlreadyExists,
    InvalidInput,
    NotAccepting,
    UnknownModel,
    UnknownReplica,
)
from heliostat.model.names import ModelName
from scheduling.request import Request
from scheduling.workers import Workers
from tests.scheduling.builders import MODEL, a_law, a_promise, a_request, some_workers

COUNTERS = (
    "running",
    "waiting",
    "waiting_prefill_tokens",
    "kv_now_tokens",
    "kv_peak_tokens",
    "context_tokens",
)


def counters(workers: Workers, row: int) -> list[int]:
    return [int(workers.rows[row][name]) for name in COUNTERS]


def test_a_booking_counts_until_it_is_given_back() -> None:
    workers = some_workers()
    workers.book(1, a_request(), 0.0)
    assert counters(workers, 1) == [0, 1, 1000, 0, 1200, 1100]
    assert workers.begin("r", 0.5)
    assert counters(workers, 1) == [1, 0, 0, 1001, 1200, 1100]
    assert workers.progress("r", 50, 300.0)
    assert counters(workers, 1) == [1, 0, 0, 1050, 1300, 1150]
    ended = workers.complete("r", 9.0, 280)
    assert ended is not None
    assert (ended.replica, ended.request.id) == ("a1", "r")
    assert counters(workers, 1) == [0] * 6
    assert len(workers) == 0


def test_completing_twice_changes_nothing() -> None:
    workers = some_workers()
    workers.book(0, a_request("one"), 0.0)
    workers.book(0, a_request("two"), 0.0)
    assert workers.complete("one", 1.0) is not None
    left = workers.rows.copy()
    assert workers.complete("one", 2.0) is None
    assert workers.complete("nobody", 2.0) is None
    assert np.array_equal(workers.rows, left)


def test_a_request_is_booked_once() -> None:
    workers = some_workers()
    workers.book(0, a_request(), 0.0)
    left = workers.rows.copy()
    with pytest.raises(AlreadyBooked, match="a0"):
        workers.book(1, a_request(), 0.0)
    assert np.array_equal(workers.rows, left)


def test_what_vanishes_gives_its_requests_back_and_knows_them_no_more() -> None:
    workers = some_workers()
    for name in "xyz":
        workers.book(2, a_request(name), 0.0)
    assert {one.id for one in workers.vanish("a2")} == set("xyz")
    assert workers.vanish("a2") == ()
    assert workers.complete("x", 1.0) is None
    with pytest.raises(UnknownReplica):
        workers.book(2, a_request("x"), 1.0)
    assert workers.appear("a2", a_law(), 1.0) == 2
    assert counters(workers, 2) == [0] * 6
    workers.book(2, a_request("x"), 1.0)
    assert counters(workers, 2)[1] == 1


def test_a_replica_that_drains_keeps_what_it_has() -> None:
    workers = some_workers()
    workers.book(0, a_request("old"), 0.0)
    workers.drain("a0")
    with pytest.raises(NotAccepting):
        workers.book(0, a_request("new"), 0.0)
    assert workers.complete("old", 1.0) is not None
    workers.accept("a0")
    workers.book(0, a_request("new"), 1.0)


def test_replicas_and_requests_are_of_one_model() -> None:
    workers = some_workers()
    with pytest.raises(UnknownModel, match="llama"):
        workers.book(0, a_request(model=ModelName("other")), 0.0)
    with pytest.raises(AlreadyExists):
        workers.appear("a0", a_law(), 0.0)
    for unknown in (-1, 3, 99):
        with pytest.raises(UnknownReplica):
            workers.book(unknown, a_request(), 0.0)
    for call in (workers.drain, workers.accept, workers.row_of):
        with pytest.raises(UnknownReplica):
            call("nobody")


def test_many_replicas_and_many_requests_find_room() -> None:
    workers = some_workers(50)
    for name in range(500):
        workers.book(name % 3, a_request(name), 0.0)
    assert counters(workers, 0)[1] == 167
    assert workers.replicas == tuple(f"a{n}" for n in range(50))


def test_reports_count_what_others_booked() -> None:
    workers = some_workers()
    workers.book(0, a_request(), 0.0)
    workers.report("a0", 1.0, running=5, waiting=2, kv_tokens=9000)
    row = workers.rows[0]
    assert (int(row["unbooked_sequences"]), int(row["unbooked_kv_tokens"])) == (6, 9000)
    workers.report("a0", 2.0, running=0, waiting=0, kv_tokens=0)
    assert (int(row["unbooked_sequences"]), int(row["unbooked_kv_tokens"])) == (0, 0)
    with pytest.raises(InvalidInput):
        workers.report("a0", 1.0, running=-1, waiting=0, kv_tokens=0)


def test_who_reported_long_ago_is_not_fresh() -> None:
    workers = some_workers()
    workers.report("a1", 20.0, running=0, waiting=0, kv_tokens=0)
    workers.forget_reports_before(10.0)
    assert workers.rows["fresh"][:3].tolist() == [0, 1, 0]


def test_prefills_pass_with_time_and_one_that_never_began_gives_its_back() -> None:
    workers = some_workers()
    workers.book(0, a_request("one"), 10.0)
    workers.book(0, a_request("two"), 10.0)
    assert workers.rows[0]["prefill_free_at"] == pytest.approx(10.24)
    workers.complete("two", 10.0)
    assert workers.rows[0]["prefill_free_at"] == pytest.approx(10.12)


def test_slack_is_what_the_promise_leaves_after_iterations_and_stalls() -> None:
    workers = some_workers()
    workers.book(0, a_request("one"), 0.0)
    law = a_law()
    pace = law.iteration_seconds(1, 1100)
    assert workers.rows[0]["stall_slack_seconds"] == pytest.approx((0.1 - pace) * 199)
    workers.book(0, a_request("two", promise=a_promise(itl_seconds=5.0)), 0.0)
    pace = law.iteration_seconds(2, 2200)
    after = (0.1 - pace) * 199 - law.prefill_seconds(1000)
    assert workers.rows[0]["stall_slack_seconds"] == pytest.approx(after)
    workers.complete("one", 1.0)
    workers.complete("two", 1.0)
    assert workers.rows[0]["stall_slack_seconds"] == math.inf


def test_a_promise_that_is_lost_binds_nobody() -> None:
    workers = some_workers()
    workers.book(0, a_request(promise=a_promise(itl_seconds=0.001)), 0.0)
    assert workers.rows[0]["stall_slack_seconds"] == math.inf


def test_errors_of_predictions_add_up_until_they_are_settled() -> None:
    workers = some_workers()
    workers.book(0, a_request("long"), 0.0)
    workers.book(1, a_request("short"), 0.0)
    workers.begin("long", 1.0)
    workers.progress("long", 200, 350.0)
    workers.complete("short", 2.0, 40)
    assert workers.rows["length_error_tokens"][:2].tolist() == [150, -160]
    workers.settle_errors()
    assert not workers.rows["length_error_tokens"].any()


def test_progress_needs_lengths_that_can_be() -> None:
    workers = some_workers()
    assert not workers.progress("r", 1, 2.0)
    workers.book(0, a_request(), 0.0)
    assert not workers.progress("r", 1, 2.0)
    workers.begin("r", 1.0)
    assert not workers.begin("r", 2.0)
    for generated, expected in ((0, 5.0), (10, 9.0), (10, math.nan), (10, math.inf)):
        with pytest.raises(InvalidInput, match="progress"):
            workers.progress("r", generated, expected)


class AnyLife(RuleBasedStateMachine):
    """Requests and replicas come and go; a plain list of what is booked says what counters must be."""

    def __init__(self) -> None:
        super().__init__()
        self.workers = Workers(MODEL)
        self.booked: dict[str, tuple[str, Request, bool]] = {}
        self.now = 0.0
        self.names = 0

    @rule(name=st.sampled_from("abcd"))
    def appears(self, name: str) -> None:
        if name not in self.workers.replicas:
            self.workers.appear(name, a_law(), self.now)

    @rule(name=st.sampled_from("abcd"))
    def vanishes(self, name: str) -> None:
        lost = {one.id for one in self.workers.vanish(name)}
        assert lost == {one for one, (where, _, _) in self.booked.items() if where == name}
        for one in lost:
            del self.booked[one]

    @precondition(lambda self: self.workers.replicas)
    @rule(data=st.data(), tokens=st.integers(1, 5000), output=st.integers(1, 900))
    def books(self, data: st.DataObject, tokens: int, output: int) -> None:
        replica = data.draw(st.sampled_from(self.workers.replicas))
        self.names += 1
        request = a_request(self.names, input_tokens=tokens, output=output)
        self.workers.book(self.workers.row_of(replica), request, self.now)
        self.booked[request.id] = (replica, request, False)

    @precondition(lambda self: self.booked)
    @rule(data=st.data())
    def begins(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.booked)))
        replica, request, begun = self.booked[name]
        assert self.workers.begin(name, self.now) is not begun
        self.booked[name] = (replica, request, True)

    @precondition(lambda self: self.booked)
    @rule(data=st.data(), again=st.booleans())
    def completes(self, data: st.DataObject, again: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.booked)))
        del self.booked[name]
        assert self.workers.complete(name, self.now) is not None
        if again:
            assert self.workers.complete(name, self.now) is None

    @rule(seconds=st.floats(0, 5))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def counters_are_sums_of_what_is_booked(self) -> None:
        assert len(self.workers) == len(self.booked)
        for replica in self.workers.replicas:
            here = [one for one in self.booked.values() if one[0] == replica]
            waiting = [request for _, request, begun in here if not begun]
            lengths = [(one.input_tokens, int(one.length.mean_tokens)) for _, one, _ in here]
            assert counters(self.workers, self.workers.row_of(replica)) == [
                len(here) - len(waiting),
                len(waiting),
                sum(one.input_tokens for one in waiting),
                sum(one.input_tokens + 1 for _, one, begun in here if begun),
                sum(prompt + output for prompt, output in lengths),
                sum(prompt + output // 2 for prompt, output in lengths),
            ]

    @invariant()
    def seats_hold_who_is_booked(self) -> None:
        for replica in self.workers.replicas:
            row = self.workers.row_of(replica)
            here = [one for where, one, _ in self.booked.values() if where == replica]
            gaps = sorted(max(1, int(one.length.mean_tokens) - 1) for one in here)
            assert sorted(self.workers.seats[row, : len(here)]["gaps"].tolist()) == gaps


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
