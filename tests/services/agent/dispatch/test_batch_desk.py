"""Batch requests: on disk before they are answered, fed to spare replicas, never lost, never twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from heliostat.errors import RequestIdReused, StorageUnavailable
from heliostat.model.dispatch import (
    DispatchDecision,
    Ended,
    OtherRegion,
    Placed,
    PlacementBasis,
    Queued,
    Refused,
    Shed,
    ShedReason,
    WithdrawalReason,
    Withdrawn,
)
from heliostat.model.names import ModelName
from services.agent.dispatch.mail import Mailbox
from services.agent.drivers.vm.cloud import EngineReading
from services.agent.journal.batch_box import BatchBox
from services.agent.journal.batch_entry import BatchEntry
from services.agent.settings import DispatchSettings
from tests.builders import MINUTE, NOON, a_catalogue, a_pool, catalogue_mapping
from tests.support.dispatching import (
    ALPHA,
    SILENT,
    WEST,
    Counter,
    a_table,
    an_ask,
    an_end,
    an_endpoint,
    kinds,
)


def used(share: float) -> EngineReading:
    """An engine whose batch of 64 is full to that share, with hardly any memory taken."""
    running = round(64 * share)
    return EngineReading(
        healthy=True, running_requests=running, waiting_requests=0, kv_occupancy=0.01
    )


async def told(box: Mailbox) -> Sequence[DispatchDecision]:
    """Everything that came, without waiting for more."""
    box.close()
    return await box.take()


async def placed_after(desk: Counter, seconds: float = 1.0) -> list[str]:
    """Names of those that the next feeding places, in order."""
    with desk.room.stream("gw") as box:
        await desk.wait(seconds)
        return [one.request_id for one in await told(box) if isinstance(one.outcome, Placed)]


async def test_a_batch_request_is_on_disk_when_it_is_answered(desk: Counter) -> None:
    (answer,) = await desk.ask_batch("b-1")
    assert isinstance(answer.outcome, Queued)
    assert answer.outcome.durable
    assert answer.outcome.due == NOON + timedelta(days=1)
    desk.restart()
    (again,) = await desk.ask_batch("b-1")
    assert again.replayed
    assert desk.room.batch_waiting == 1


@pytest.mark.parametrize(
    ("share", "taken"), [(0.7, 0), (0.61, 0), (0.55, 1), (0.51, 1), (0.45, 2), (0.0, 2)]
)
async def test_a_replica_takes_one_below_60_percent_and_two_below_50(
    desk: Counter, share: float, taken: int
) -> None:
    await desk.show(an_endpoint(), reading=used(share))
    await desk.ask_batch(*(f"b-{n}" for n in range(5)))
    assert len(await placed_after(desk)) == taken
    assert desk.room.batch_waiting == 5 - taken


async def test_spare_room_is_filled_only_while_every_promise_holds(desk: Counter) -> None:
    full_memory = EngineReading(
        healthy=True, running_requests=1, waiting_requests=0, kv_occupancy=0.49
    )
    await desk.show(an_endpoint(), reading=full_memory)
    most = desk.catalogue.law(ALPHA, an_endpoint().pool.vm_type).kv_tokens
    await desk.ask_batch("b-large", input_tokens=int(most * 0.6))
    await desk.ask_batch("b-small")
    assert await placed_after(desk) == ["b-small"]


@pytest.mark.parametrize("due", [timedelta(hours=20), timedelta(minutes=20)])
async def test_those_that_find_no_room_let_others_pass_and_are_tried_again(
    desk: Counter, due: timedelta
) -> None:
    half = EngineReading(healthy=True, running_requests=1, waiting_requests=0, kv_occupancy=0.49)
    most = desk.catalogue.law(ALPHA, an_endpoint().pool.vm_type).kv_tokens
    huge = [f"b-huge-{number}" for number in range(9)]
    await desk.ask_batch(*huge, input_tokens=int(most * 0.6), complete_by=NOON + due)
    await desk.ask_batch("b-small", complete_by=NOON + due + MINUTE)
    placed = []
    for _ in range(5):
        await desk.show(an_endpoint(), reading=half)
        placed += await placed_after(desk)
    assert placed == ["b-small"]
    await desk.end_batch("b-small")
    await desk.show(an_endpoint())
    assert await placed_after(desk) == ["b-huge-0"], "nobody is left to be let pass"


async def test_the_first_due_goes_first(desk: Counter) -> None:
    await desk.show(an_endpoint(), reading=used(0.55))
    for name, hours in (("b-late", 9), ("b-soon", 3), ("b-middle", 6)):
        await desk.ask_batch(name, complete_by=NOON + timedelta(hours=hours))
    order = []
    for _ in range(3):
        desk.seconds += 1
        await desk.show(an_endpoint(), reading=used(0.0))
        order += await placed_after(desk, 0.0)
        for name in order:
            await desk.end_batch(name)
        desk.seconds += 1
        await desk.show(an_endpoint(), reading=used(0.55))
        order += await placed_after(desk, 1.0)
    assert order == ["b-soon", "b-middle", "b-late"]


async def test_what_waited_for_hours_goes_wherever_there_is_a_place(desk: Counter) -> None:
    await desk.show(an_endpoint(), reading=used(0.8))
    await desk.ask_batch("b-1")
    assert await placed_after(desk) == []
    desk.seconds += 10 * 3600
    await desk.show(an_endpoint(), reading=used(0.8))
    assert await placed_after(desk) == ["b-1"]


async def test_what_is_due_soon_goes_wherever_there_is_a_place(desk: Counter) -> None:
    await desk.show(an_endpoint(), reading=used(0.8))
    await desk.ask_batch("b-1", complete_by=NOON + 31 * MINUTE)
    assert await placed_after(desk) == []
    desk.seconds += 120
    await desk.show(an_endpoint(), reading=used(0.8))
    (queue,) = (await desk.room.view()).queues
    assert (queue.waiting, queue.promoted) == (1, 1)
    assert await placed_after(desk) == ["b-1"]


async def test_stale_signals_feed_nobody_but_those_who_may_not_wait(desk: Counter) -> None:
    await desk.show(an_endpoint(), reading=SILENT)
    await desk.ask_batch("b-1")
    await desk.ask_batch("b-due", complete_by=NOON + 10 * MINUTE)
    assert await placed_after(desk) == ["b-due"]


async def test_without_a_stream_of_its_gateway_a_request_waits(desk: Counter) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1", gateway="gone")
    await desk.ask_batch("b-2")
    assert await placed_after(desk) == ["b-2"]


async def test_a_placed_request_is_not_placed_again_after_a_restart(desk: Counter) -> None:
    await desk.show(an_endpoint(0), an_endpoint(1))
    await desk.ask_batch("b-1", "b-2")
    assert sorted(await placed_after(desk)) == ["b-1", "b-2"]
    before = {d.request_id: d.outcome for d in await desk.ask_batch("b-1", "b-2")}
    desk.restart()
    await desk.show(an_endpoint(0), an_endpoint(1))
    assert await placed_after(desk) == []
    again = await desk.ask_batch("b-1", "b-2")
    assert {d.request_id: d.outcome for d in again} == before
    assert sum((await desk.booked()).values()) == desk.room.booked == 2
    await desk.end_batch("b-1", "b-2")
    assert desk.room.booked == 0
    assert kinds(await desk.ask_batch("b-1", "b-2")) == [Ended, Ended]


async def test_places_of_an_earlier_life_are_booked_as_soon_as_the_disk_can_be_read(
    desk: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    await placed_after(desk)
    desk.restart()

    def broken(_: BatchBox) -> NoReturn:
        raise StorageUnavailable("the disk does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(BatchBox, "placed", broken)
        with pytest.raises(StorageUnavailable):
            await desk.show(an_endpoint())
    assert desk.room.booked == 0
    await desk.wait(0.1)
    assert desk.room.booked == 1
    await desk.wait(timedelta(hours=1))
    assert (desk.room.booked, desk.room.batch_waiting) == (0, 1)


async def a_place_of_an_earlier_life(desk: Counter) -> None:
    """`b-1` was placed two hours ago, was renewed ever since, and the agent has just begun anew."""
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    await placed_after(desk)
    (answer,) = await desk.ask_batch("b-1")
    assert isinstance(answer.outcome, Placed)
    assert 2 * MINUTE < answer.outcome.lease < 60 * MINUTE
    for _ in range(240):
        desk.room.renew(["b-1"])
        await desk.wait(MINUTE / 2)
    assert desk.room.booked == 1
    desk.restart()


async def test_what_gateways_name_before_the_first_look_keeps_its_place(desk: Counter) -> None:
    await a_place_of_an_earlier_life(desk)
    desk.room.renew(["b-1", "of nobody"])
    await desk.show(an_endpoint())
    await desk.wait(2 * MINUTE)
    assert (desk.room.booked, desk.room.batch_waiting) == (1, 0)


async def test_what_gateways_name_within_a_minute_of_a_restart_keeps_its_place(
    desk: Counter,
) -> None:
    await a_place_of_an_earlier_life(desk)
    await desk.show(an_endpoint())
    await desk.wait(50.0)
    assert desk.room.booked == 1
    desk.room.renew(["b-1"])
    await desk.wait(50.0)
    assert (desk.room.booked, desk.room.batch_waiting) == (1, 0)


async def test_what_nobody_names_after_a_restart_waits_again(desk: Counter) -> None:
    await a_place_of_an_earlier_life(desk)
    await desk.show(an_endpoint())
    await desk.wait(61.0)
    assert (desk.room.booked, desk.room.batch_waiting) == (0, 1)


async def test_a_clock_that_ran_ahead_in_an_earlier_life_makes_no_lease_longer(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    await placed_after(desk)
    desk.restart()
    desk.seconds -= timedelta(days=1).total_seconds()
    await desk.show(an_endpoint())
    assert desk.room.booked == 1
    await desk.wait(timedelta(hours=1))
    assert (desk.room.booked, desk.room.batch_waiting) == (0, 1)


async def test_a_disk_that_fails_at_one_model_leaves_no_place_of_another_untold(
    desk: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.show(an_endpoint(), an_endpoint(1, pool=a_pool(model="beta")))
    await desk.ask_batch("b-alpha")
    await desk.ask_batch("b-beta", model=ModelName("beta"))
    first_due = BatchBox.first_due

    def broken(box: BatchBox, model: ModelName, *rest: Any) -> Sequence[BatchEntry]:
        if model == "beta":
            raise StorageUnavailable("the disk does not answer")
        return first_due(box, model, *rest)

    with monkeypatch.context() as patch, desk.room.stream("gw") as box:
        patch.setattr(BatchBox, "first_due", broken)
        with pytest.raises(StorageUnavailable):
            await desk.wait(1.0)
        assert [one.request_id for one in await told(box)] == ["b-alpha"]
    assert (desk.room.booked, desk.room.batch_waiting) == (1, 1)


async def test_what_the_catalogue_offers_no_more_waits_and_holds_up_nobody(desk: Counter) -> None:
    beta = an_endpoint(1, pool=a_pool(model="beta"))
    await desk.show(an_endpoint())
    await desk.ask_batch("b-placed")
    await placed_after(desk)
    await desk.ask_batch("b-waits")
    await desk.ask_batch("b-beta", model=ModelName("beta"))
    before, mapping = desk.catalogue, catalogue_mapping()
    alpha = mapping["models"][0]
    alpha["tiers"] = {name: spec for name, spec in alpha["tiers"].items() if name != "batch"}
    desk.catalogue = a_catalogue(mapping)
    desk.restart()
    desk.seconds += 1
    await desk.show(an_endpoint(), beta)
    assert await placed_after(desk) == ["b-beta"]
    assert desk.room.batch_waiting == 2
    desk.catalogue = before
    desk.restart()
    desk.seconds += 1
    await desk.show(an_endpoint(), beta)
    assert sorted(await placed_after(desk)) == ["b-placed", "b-waits"]


async def test_what_was_placed_on_a_replica_that_is_gone_waits_again_after_a_restart(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint(0))
    await desk.ask_batch("b-1")
    assert await placed_after(desk) == ["b-1"]
    desk.restart()
    assert desk.room.batch_waiting == 0
    desk.seconds += 1
    await desk.show(an_endpoint(1))
    with desk.room.stream("gw") as box:
        await desk.wait(1.0)
        (decision,) = await told(box)
    assert isinstance(decision.outcome, Placed)
    assert (decision.outcome.replica_id, decision.attempt) == ("vm-1", 2)


async def test_what_drains_after_a_restart_keeps_its_requests(desk: Counter) -> None:
    await desk.show(an_endpoint(0))
    await desk.ask_batch("b-1")
    await placed_after(desk)
    desk.restart()
    desk.seconds += 1
    await desk.show(an_endpoint(0, draining=True), an_endpoint(1))
    assert await placed_after(desk) == []
    await desk.end_batch("b-1")
    assert desk.room.booked == 0


async def test_a_batch_request_whose_lease_runs_out_waits_again_under_the_next_attempt(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    with desk.room.stream("gw") as box:
        await desk.wait(1.0)
        await desk.show(an_endpoint())
        await desk.wait(timedelta(hours=1))
        first, second = await told(box)
    assert isinstance(first.outcome, Placed)
    assert second.outcome == Withdrawn(
        reason=WithdrawalReason.LEASE_EXPIRED, replica_id="vm-0", queued_again=True
    )
    assert desk.room.batch_waiting == 1
    assert desk.room.booked == 0
    (answer,) = await desk.ask_batch("b-1")
    assert (answer.attempt, type(answer.outcome)) == (2, Queued)


async def test_a_request_that_ended_after_its_lease_is_not_placed_again(desk: Counter) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    await placed_after(desk)
    await desk.wait(timedelta(hours=1))
    assert desk.room.batch_waiting == 1
    await desk.end_batch("b-1")
    assert desk.room.batch_waiting == 0
    desk.seconds += 1
    await desk.show(an_endpoint())
    assert await placed_after(desk) == []


async def test_a_new_attempt_after_a_failure_waits_again(desk: Counter) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    await placed_after(desk)
    (answer,) = await desk.ask_batch("b-1", attempt=2)
    assert isinstance(answer.outcome, Queued)
    assert desk.room.booked == 0
    assert desk.room.batch_waiting == 1


async def test_an_attempt_that_skips_numbers_gives_up_one_place_and_keeps_the_next(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    assert await placed_after(desk) == ["b-1"]
    (answer,) = await desk.ask_batch("b-1", attempt=5)
    assert isinstance(answer.outcome, Queued)
    assert await placed_after(desk) == ["b-1"]
    for _ in range(2):
        (again,) = await desk.ask_batch("b-1", attempt=5)
        assert (again.attempt, again.replayed, type(again.outcome)) == (5, True, Placed)
    assert desk.room.booked == 1


async def test_a_later_attempt_of_a_request_that_waits_gets_the_next_place_and_keeps_it(
    desk: Counter,
) -> None:
    await desk.ask_batch("b-1")
    (answer,) = await desk.ask_batch("b-1", attempt=3)
    assert (answer.attempt, answer.replayed, type(answer.outcome)) == (3, True, Queued)
    assert desk.room.batch_waiting == 1
    await desk.show(an_endpoint())
    assert await placed_after(desk) == ["b-1"]
    (again,) = await desk.ask_batch("b-1", attempt=3)
    assert (again.attempt, again.replayed, type(again.outcome)) == (3, True, Placed)


async def test_the_same_name_twice_in_one_message_waits_once(desk: Counter) -> None:
    answers = await desk.ask_batch("b-1", "b-1")
    assert kinds(answers) == [Queued, Queued]
    assert desk.room.batch_waiting == 1


async def test_another_gateway_gets_a_request_only_once_the_first_has_gone(desk: Counter) -> None:
    with desk.room.stream("one"):
        await desk.ask_batch("b-1", gateway="one")
        (refused,) = await desk.ask_batch("b-1", gateway="two")
        assert isinstance(refused.outcome, Refused)
    (queued,) = await desk.ask_batch("b-1", gateway="two")
    assert queued.replayed
    await desk.show(an_endpoint())
    with desk.room.stream("two") as box:
        await desk.wait(1.0)
        box.close()
        (told,) = await box.take()
    assert isinstance(told.outcome, Placed)
    assert desk.room.batch_waiting == 0


async def test_one_name_for_two_requests_is_refused(desk: Counter) -> None:
    await desk.ask_batch("b-1")
    (answer,) = await desk.ask_batch("b-1", input_tokens=7)
    assert isinstance(answer.outcome, Refused)
    assert isinstance(answer.outcome.error, RequestIdReused)
    assert desk.room.batch_waiting == 1


async def test_an_interactive_request_of_the_same_name_holds_up_nobody(desk: Counter) -> None:
    await desk.ask_batch("r-1", "b-2")
    await desk.show(an_endpoint())
    assert isinstance(desk.ask("r-1").outcome, Placed)
    assert await placed_after(desk) == ["b-2"]


async def test_a_batch_request_waits_while_an_interactive_one_of_its_name_does(
    desk: Counter,
) -> None:
    half = EngineReading(healthy=True, running_requests=1, waiting_requests=0, kv_occupancy=0.49)
    most = desk.catalogue.law(ALPHA, an_endpoint().pool.vm_type).kv_tokens
    await desk.ask_batch("r-1", "b-2")
    await desk.show(an_endpoint(), reading=half)
    with desk.room.stream("gw"):
        assert isinstance(desk.ask("r-1", input_tokens=int(most * 0.6)).outcome, Queued)
        assert await placed_after(desk) == ["b-2"]
        assert desk.room.complete(an_end("r-1")) is True
        assert await placed_after(desk) == ["r-1"]


async def test_a_name_that_an_interactive_request_took_after_a_restart_leaves_the_batch_one_waiting(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("r-1")
    assert await placed_after(desk) == ["r-1"]
    desk.restart()
    assert isinstance(desk.ask("r-1").outcome, Queued)
    await desk.show(an_endpoint())
    assert (desk.room.booked, desk.room.batch_waiting) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"complete_by": NOON}, ShedReason.DEADLINE),
        ({"input_tokens": 3_000_000}, ShedReason.TOO_LARGE),
    ],
)
async def test_what_can_never_be_done_is_shed(
    desk: Counter, changes: dict[str, Any], reason: ShedReason
) -> None:
    (answer,) = await desk.ask_batch("b-1", **changes)
    assert isinstance(answer.outcome, Shed)
    assert answer.outcome.reason is reason
    assert answer.outcome.retry_after is None
    assert desk.room.batch_waiting == 0


async def test_batch_requests_of_another_region_are_sent_there(desk: Counter) -> None:
    desk.table = a_table(WEST)
    (answer,) = await desk.ask_batch("b-1")
    assert isinstance(answer.outcome, OtherRegion)


async def test_a_full_queue_sheds_and_says_when_to_come_again(tmp_path: Path) -> None:
    desk = Counter(tmp_path, settings=DispatchSettings(most_batch_waiting=2))
    answers = await desk.ask_batch("b-1", "b-2", "b-3")
    assert kinds(answers) == [Queued, Queued, Shed]
    assert answers[2].outcome.retry_after is not None  # type: ignore[union-attr]  # shed, as above
    desk.close()


async def test_a_full_disk_refuses_asks_and_places_nothing(desk: Counter) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    ((pages,),) = desk.file.read("PRAGMA page_count")
    desk.file.read(f"PRAGMA max_page_count={pages}")
    names = [f"full-{n}" for n in range(2000)]
    answers = await desk.ask_batch(*names)
    assert {type(answer.outcome) for answer in answers} == {Refused}
    assert isinstance(answers[0].outcome.error, StorageUnavailable)  # type: ignore[union-attr]  # refused
    desk.file.read("PRAGMA max_page_count=1000000")
    assert desk.room.batch_waiting == 1
    assert await placed_after(desk) == ["b-1"]


async def test_a_batch_place_counts_for_its_basis(desk: Counter) -> None:
    await desk.show(an_endpoint())
    await desk.ask_batch("b-1")
    await placed_after(desk)
    assert desk.room.tally.counts.placed_by_signals == 1
    (answer,) = await desk.ask_batch("b-1")
    assert isinstance(answer.outcome, Placed)
    assert answer.outcome.basis is PlacementBasis.SIGNALS
    assert an_ask().model == ModelName("alpha")
