"""Requests that outlive their predictions count as longer, and new ones are kept away from where they run."""

from __future__ import annotations

from heliostat.model.dispatch import Placed
from heliostat.model.names import Tier
from scheduling.lengths.online import OnlineLengths
from scheduling.lengths.prediction import LengthPrediction
from scheduling.request import Promise, Request
from scheduling.workers import Workers
from services.agent.dispatch.laws import PoolLaws
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.running import Running
from tests.builders import a_catalogue
from tests.support.agents import EAST
from tests.support.dispatching import ALPHA, NORMAL, Counter, an_end, an_endpoint

CATALOGUE = a_catalogue()


class Track:
    """One replica, one request of which ten tokens are expected, and the reminders of it."""

    def __init__(self) -> None:
        laws = PoolLaws(CATALOGUE)
        replicas = Replicas(EAST, laws, stale_after_seconds=30.0)
        replicas.stand([an_endpoint()], 0.0)
        self.workers: Workers = replicas.workers(ALPHA)
        self.running = Running(replicas, OnlineLengths(CATALOGUE))
        law = laws.law(an_endpoint().pool)
        assert law is not None
        self.pace = law.iteration_seconds(1, 505)
        self.request = Request(
            id="r",
            model=ALPHA,
            tier=Tier.INTERACTIVE_NORMAL,
            input_tokens=500,
            arrival=0.0,
            promise=Promise(ttft_seconds=1.0, itl_seconds=1.0),
            predicted=LengthPrediction.exactly(10),
        )
        self.book(0.0, 1.0)

    def book(self, at: float, first_token_at: float) -> None:
        self.workers.book(0, self.request, at)
        self.running.placed(ALPHA, "r", first_token_at)

    def expected(self) -> int:
        booking = self.workers.booking("r")
        assert booking is not None
        return booking.output_tokens


def test_it_begins_when_its_first_token_was_expected() -> None:
    track = Track()
    track.running.pass_until(0.9)
    assert track.workers.rows[0]["running"] == 0
    track.running.pass_until(1.0)
    assert track.workers.rows[0]["running"] == 1


def test_until_its_predicted_end_nothing_is_re_estimated() -> None:
    track = Track()
    track.running.pass_until(1.0)
    track.running.pass_until(1.0 + 8 * track.pace)
    assert track.expected() == 10
    assert track.workers.rows[0]["length_error_tokens"] == 0


def test_who_outlives_its_prediction_is_expected_to_go_on_and_its_worker_is_charged() -> None:
    track = Track()
    track.running.pass_until(1.0)
    track.running.pass_until(1.0 + 30 * track.pace)
    longer = track.expected()
    assert longer > 30
    row = track.workers.rows[0]
    assert row["length_error_tokens"] == longer - 10
    assert row["kv_peak_tokens"] == 500 + longer
    track.running.pass_until(1.0 + 40 * track.pace)
    assert track.expected() == longer
    track.running.pass_until(1.0 + 3 * longer * track.pace)
    assert track.expected() > 3 * longer


def test_what_ended_is_not_looked_at_again() -> None:
    track = Track()
    track.running.pass_until(1.0)
    track.workers.complete("r", 1.1, 3)
    track.running.pass_until(1e6)
    assert not track.workers.rows[0]["kv_peak_tokens"]


def test_what_was_expected_of_an_attempt_is_not_expected_of_the_next() -> None:
    track = Track()
    track.workers.complete("r", 0.5)
    track.book(0.5, 2.0)
    track.running.pass_until(1.5)
    assert track.workers.rows[0]["running"] == 0
    track.running.pass_until(2.0)
    assert track.workers.rows[0]["running"] == 1


def goes_to(desk: Counter, name: str, predicted: float) -> str:
    place = desk.ask(name, tier=NORMAL, predicted_output_tokens=predicted).outcome
    assert isinstance(place, Placed)
    return place.replica_id


async def test_new_requests_go_where_outputs_were_shorter_until_the_next_heartbeat(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint(0), an_endpoint(1))
    assert [goes_to(desk, "longer", 50.0), goes_to(desk, "shorter", 900.0)] == ["vm-0", "vm-1"]
    desk.room.complete(an_end("longer", output_tokens=1500))
    desk.room.complete(an_end("shorter", output_tokens=5))
    assert goes_to(desk, "r-1", 100.0) == "vm-1"
    assert desk.room.tally.counts.rebalanced == 1
    desk.room.complete(an_end("r-1", output_tokens=100))
    await desk.wait(6.0)
    await desk.show(an_endpoint(0), an_endpoint(1))
    assert goes_to(desk, "r-2", 100.0) == "vm-0"
    assert desk.room.tally.counts.rebalanced == 1
