"""Interactive requests: where they go, that they never hold two places, and that places come back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.errors import RequestIdReused
from heliostat.model.dispatch import (
    CompletionOutcome,
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
from heliostat.model.routing import RoutingTable
from services.agent.dispatch.mail import Mailbox
from services.agent.drivers.vm.cloud import EngineReading
from services.agent.settings import DispatchSettings
from tests.builders import a_catalogue, a_pool, catalogue_mapping
from tests.support.dispatching import (
    ALPHA,
    FULL,
    NORMAL,
    SILENT,
    WEST,
    Counter,
    a_table,
    an_end,
    an_endpoint,
)
from tests.support.waiting import until


async def news(box: Mailbox) -> list[DispatchDecision]:
    """What came later, without waiting for more."""
    box.close()
    return list(await box.take())


async def test_a_request_goes_to_a_replica_with_all_that_its_gateway_needs(desk: Counter) -> None:
    await desk.show(an_endpoint())
    place = desk.ask().outcome
    assert isinstance(place, Placed)
    assert (place.replica_id, place.address) == ("vm-0", "10.0.0.0:8000")
    assert place.pool == a_pool()
    assert place.basis is PlacementBasis.SIGNALS
    assert place.expected_ttft_seconds is not None
    assert 0 < place.expected_ttft_seconds < 1
    assert place.priority == 0
    assert desk.ask("r-2", tier=NORMAL).outcome.priority == 1  # type: ignore[union-attr]  # placed, as above
    assert await desk.booked() == {"vm-0": 2}


async def test_the_same_ask_twice_gets_the_same_answer_and_one_place(desk: Counter) -> None:
    await desk.show(an_endpoint(0), an_endpoint(1))
    first, second = desk.ask(), desk.ask()
    assert second.replayed
    assert second.outcome == first.outcome
    assert sum((await desk.booked()).values()) == 1
    assert desk.room.tally.counts.asked == 1


async def test_one_name_for_two_requests_is_refused(desk: Counter) -> None:
    await desk.show(an_endpoint())
    desk.ask()
    refused = desk.ask(input_tokens=7).outcome
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, RequestIdReused)
    assert await desk.booked() == {"vm-0": 1}


async def test_two_gateways_with_one_name_do_not_get_one_place(desk: Counter) -> None:
    await desk.show(an_endpoint())
    with desk.room.stream("one"):
        place = desk.ask(gateway="one").outcome
        refused = desk.ask(gateway="two").outcome
        assert isinstance(refused, Refused)
        assert isinstance(refused.error, RequestIdReused)
        assert "one" in str(refused.error)
    assert desk.ask(gateway="two").outcome == place
    assert await desk.booked() == {"vm-0": 1}


async def test_what_a_gateway_left_is_withdrawn_from_the_one_that_took_it_over(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint())
    desk.ask(gateway="gone")
    with desk.room.stream("heir") as box:
        assert desk.ask(gateway="heir").replayed
        desk.seconds += 1
        await desk.show(an_endpoint(1))
        (told,) = await news(box)
    assert isinstance(told.outcome, Withdrawn)


async def test_lengths_that_cannot_be_are_not_learnt_and_break_nothing(desk: Counter) -> None:
    await desk.show(an_endpoint())
    for number, tokens in enumerate((0, 10**7, 2**62)):
        desk.ask(f"r-{number}")
        assert desk.room.complete(an_end(f"r-{number}", output_tokens=tokens)) is True
    assert await desk.booked() == {"vm-0": 0}
    assert desk.room.booked == 0


async def test_a_new_attempt_gives_up_the_place_before(desk: Counter) -> None:
    await desk.show(an_endpoint())
    desk.ask()
    again = desk.ask(attempt=2)
    assert isinstance(again.outcome, Placed)
    assert not again.replayed
    assert await desk.booked() == {"vm-0": 1}
    assert desk.ask(attempt=1).attempt == 2


async def test_a_completion_frees_the_place_and_the_second_one_changes_nothing(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint())
    desk.ask()
    assert desk.room.complete(an_end(output_tokens=80, ttft_seconds=0.2)) is True
    assert desk.room.complete(an_end()) is False
    assert desk.room.complete(an_end("never-heard-of")) is None
    assert await desk.booked() == {"vm-0": 0}
    assert desk.room.tally.counts.finished == 1
    assert desk.ask().outcome == Ended(finished=True)


async def test_expected_and_measured_first_tokens_are_told_side_by_side(desk: Counter) -> None:
    await desk.show(an_endpoint())
    place = desk.ask().outcome
    assert isinstance(place, Placed)
    desk.room.complete(an_end(ttft_seconds=0.5))
    assert desk.room.foresight.requests == 1
    assert desk.room.foresight.expected_seconds == place.expected_ttft_seconds
    assert desk.room.foresight.measured_seconds == 0.5
    desk.ask("r-2")
    desk.room.complete(an_end("r-2"))
    assert desk.room.foresight.requests == 1


async def test_a_wait_for_a_place_is_part_of_the_first_token_that_is_expected(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint(), reading=FULL)
    with desk.room.stream("gw") as box:
        desk.ask()
        desk.seconds += 0.5
        await desk.show(an_endpoint())
        (told,) = await news(box)
    assert isinstance(told.outcome, Placed)
    assert told.outcome.expected_ttft_seconds is not None
    desk.room.complete(an_end(ttft_seconds=0.75))
    expected = 0.5 + told.outcome.expected_ttft_seconds
    assert desk.room.foresight.expected_seconds == pytest.approx(expected)
    assert desk.room.foresight.missed_by_seconds == pytest.approx(abs(0.75 - expected))


@pytest.mark.parametrize("late", ["batch", "second attempt"])
async def test_first_tokens_of_requests_whose_arrival_is_not_known_are_not_judged(
    desk: Counter, late: str
) -> None:
    await desk.show(an_endpoint())
    if late == "batch":
        await desk.ask_batch("r-1")
        with desk.room.stream("gw"):
            desk.seconds += 3600.0
            await desk.show(an_endpoint())
            await desk.wait(1.0)
        await desk.room.end({"r-1": True})
    else:
        desk.ask(attempt=2)
    assert desk.room.booked == 1
    assert desk.room.complete(an_end(ttft_seconds=3601.0)) is True
    assert desk.room.foresight.requests == 0


async def test_a_client_that_hangs_loses_its_place_when_the_lease_runs_out(desk: Counter) -> None:
    await desk.show(an_endpoint())
    with desk.room.stream("gw") as box:
        place = desk.ask().outcome
        assert isinstance(place, Placed)
        await desk.wait(place.lease - timedelta(seconds=1))
        assert await desk.booked() == {"vm-0": 1}
        await desk.wait(2.0)
        (told,) = await news(box)
    assert told.outcome == Withdrawn(reason=WithdrawalReason.LEASE_EXPIRED, replica_id="vm-0")
    assert await desk.booked() == {"vm-0": 0}
    assert desk.room.booked == 0
    assert desk.room.complete(an_end()) is False


async def test_who_says_that_it_still_runs_keeps_its_place(desk: Counter) -> None:
    await desk.show(an_endpoint())
    place = desk.ask().outcome
    assert isinstance(place, Placed)
    for _ in range(3):
        desk.seconds += place.lease.total_seconds() * 0.9
        desk.room.renew(["r-1", "nobody"])
        await desk.room.beat()
    assert await desk.booked() == {"vm-0": 1}


async def test_requests_on_a_replica_that_vanished_are_told_and_may_ask_again(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint(0))
    with desk.room.stream("gw") as box:
        desk.ask()
        await desk.show(an_endpoint(1))
        (told,) = await news(box)
    assert told.outcome == Withdrawn(reason=WithdrawalReason.REPLICA_GONE, replica_id="vm-0")
    assert desk.ask().outcome == Ended(finished=False)
    again = desk.ask(attempt=2).outcome
    assert isinstance(again, Placed)
    assert again.replica_id == "vm-1"
    assert await desk.booked() == {"vm-1": 1}


async def test_a_draining_replica_gets_nothing_new_and_keeps_what_it_has(desk: Counter) -> None:
    await desk.show(an_endpoint(0))
    desk.ask("r-0")
    await desk.show(an_endpoint(0, draining=True), an_endpoint(1))
    places = {desk.ask(f"r-{n}").outcome.replica_id for n in range(1, 4)}  # type: ignore[union-attr]  # placed, or it fails
    assert places == {"vm-1"}
    assert (await desk.booked())["vm-0"] == 1


@pytest.mark.parametrize("reading", [SILENT, EngineReading(healthy=False)], ids=["mute", "ill"])
async def test_without_fresh_signals_requests_go_in_turn_and_the_answer_says_so(
    desk: Counter, reading: EngineReading
) -> None:
    await desk.show(*(an_endpoint(n) for n in range(3)), reading=reading)
    places = [desk.ask(f"r-{n}").outcome for n in range(6)]
    assert {place.basis for place in places} == {PlacementBasis.ROUND_ROBIN}  # type: ignore[union-attr]  # placed
    assert {place.expected_ttft_seconds for place in places} == {None}  # type: ignore[union-attr]  # placed
    assert set((await desk.booked()).values()) == {2}


async def test_signals_grow_stale_and_fresh_again(desk: Counter) -> None:
    await desk.show(an_endpoint())
    await desk.wait(31.0)
    (basis,) = (await desk.room.view()).bases
    assert (basis.basis, basis.fresh_replicas) == (PlacementBasis.ROUND_ROBIN, 0)
    await desk.show(an_endpoint())
    (basis,) = (await desk.room.view()).bases
    assert (basis.basis, basis.fresh_replicas) == (PlacementBasis.SIGNALS, 1)


async def test_before_the_first_look_the_routing_tables_replicas_stand_in(desk: Counter) -> None:
    desk.table = a_table(replicas=[an_endpoint(4)])
    await desk.room.beat()
    place = desk.ask().outcome
    assert isinstance(place, Placed)
    assert (place.replica_id, place.basis) == ("vm-4", PlacementBasis.ROUND_ROBIN)


async def test_the_tables_replicas_stand_in_also_after_somebody_asked(desk: Counter) -> None:
    assert isinstance(desk.ask().outcome, Queued)
    desk.table = a_table(replicas=[an_endpoint(4)])
    with desk.room.stream("gw") as box:
        await desk.room.beat()
        (told,) = await news(box)
    assert isinstance(told.outcome, Placed)
    assert told.outcome.replica_id == "vm-4"


async def test_who_is_let_in_first_finds_the_replicas(desk: Counter) -> None:
    desk.table = a_table(replicas=[an_endpoint(4)])
    running = asyncio.create_task(desk.room.run())
    await desk.room.warm()
    assert isinstance(desk.ask().outcome, Placed)
    running.cancel()


async def test_a_session_goes_to_its_replica_while_that_keeps_every_promise(desk: Counter) -> None:
    await desk.show(an_endpoint(0), an_endpoint(1), an_endpoint(2))
    first = desk.ask("r-0", session="s").outcome
    assert isinstance(first, Placed)
    others = [desk.ask(f"o-{n}").outcome for n in range(3)]
    assert others
    kept = desk.ask("r-1", session="s").outcome
    assert isinstance(kept, Placed)
    assert kept.session_kept
    assert kept.replica_id == first.replica_id
    measured = {an_endpoint(n).address: SILENT for n in range(3)}
    measured[first.address] = FULL
    desk.seconds += 1
    await desk.show(*(an_endpoint(n) for n in range(3)), readings=measured)
    moved = desk.ask("r-2", session="s").outcome
    assert isinstance(moved, Placed)
    assert not moved.session_kept
    assert moved.replica_id != first.replica_id


async def test_the_routing_table_sends_requests_to_another_region(desk: Counter) -> None:
    await desk.show(an_endpoint())
    desk.table = a_table(WEST)
    away = desk.ask().outcome
    assert isinstance(away, OtherRegion)
    assert (away.region, away.ingress_endpoint) == (WEST, "gw.west:8443")
    assert (away.hop_header, away.table_version) == ("x-heliostat-hop", "7")
    assert not away.table_stale
    desk.seconds += 600
    assert desk.ask("r-2").outcome.table_stale  # type: ignore[union-attr]  # as above
    assert await desk.booked() == {"vm-0": 0}


async def test_what_was_forwarded_once_is_never_forwarded_again(desk: Counter) -> None:
    await desk.show(an_endpoint())
    desk.table = a_table(WEST, fallback=[WEST])
    assert isinstance(desk.ask(forwarded=True).outcome, Placed)
    await desk.show()
    assert isinstance(desk.ask("r-2", forwarded=True).outcome, Queued)
    with desk.room.stream("gw") as box:
        await desk.wait(31.0)
        told = await news(box)
    assert [one.request_id for one in told if isinstance(one.outcome, Shed)] == ["r-2"]


async def test_the_tables_shed_share_is_shed(desk: Counter) -> None:
    await desk.show(an_endpoint())
    desk.table = a_table(shed_ppm=500_000)
    outcomes = [desk.ask(f"r-{n}").outcome for n in range(400)]
    shed = [one for one in outcomes if isinstance(one, Shed)]
    assert 130 < len(shed) < 270
    assert {one.reason for one in shed} == {ShedReason.ROUTED}


async def test_without_replicas_another_region_takes_it_at_once(desk: Counter) -> None:
    desk.table = a_table(fallback=[WEST])
    away = desk.ask().outcome
    assert isinstance(away, OtherRegion)
    assert away.reason == "no replica of the model is ready here"


async def test_who_finds_no_room_waits_and_gets_the_first_place(desk: Counter) -> None:
    await desk.show(an_endpoint(), reading=FULL)
    with desk.room.stream("gw") as box:
        waits = desk.ask().outcome
        assert isinstance(waits, Queued)
        assert not waits.durable
        assert desk.ask().replayed
        desk.seconds += 0.3
        await desk.show(an_endpoint())
        (told,) = await news(box)
    assert isinstance(told.outcome, Placed)
    assert desk.room.held == 0


async def test_who_waited_for_half_its_promise_leaves_where_another_region_may_take_it(
    desk: Counter,
) -> None:
    desk.table = a_table(fallback=[WEST])
    await desk.show(an_endpoint(), reading=FULL)
    with desk.room.stream("gw") as box:
        desk.ask()
        await desk.wait(0.4)
        assert desk.room.held == 1
        await desk.wait(0.4)
        (told,) = await news(box)
    assert isinstance(told.outcome, OtherRegion)


async def test_who_waited_for_its_whole_promise_is_shed_with_the_reason(desk: Counter) -> None:
    await desk.show(an_endpoint(), reading=FULL)
    with desk.room.stream("gw") as box:
        desk.ask()
        await desk.wait(1.5)
        (told,) = await news(box)
    assert isinstance(told.outcome, Shed)
    assert told.outcome.reason is ShedReason.NO_CAPACITY
    assert told.outcome.retry_after is not None
    assert desk.room.held == 0


async def test_nobody_waits_in_a_full_queue(tmp_path: Path) -> None:
    desk = Counter(tmp_path, settings=DispatchSettings(most_held=2))
    await desk.show(an_endpoint(), reading=FULL)
    outcomes = [desk.ask(f"r-{n}").outcome for n in range(3)]
    assert [type(one) for one in outcomes] == [Queued, Queued, Shed]
    assert outcomes[2].reason is ShedReason.QUEUE_FULL  # type: ignore[union-attr]  # shed, as above
    desk.close()


async def test_who_waits_for_a_gateway_that_left_waits_no_more(desk: Counter) -> None:
    await desk.show(an_endpoint(), reading=FULL)
    with desk.room.stream("gw"), desk.room.stream("gw"):
        desk.ask()
    assert desk.room.held == 0


async def test_who_waits_for_a_gateway_whose_call_broke_off_waits_no_more(desk: Counter) -> None:
    async def call() -> None:
        with desk.room.stream("gw"):
            desk.ask()
            await asyncio.Event().wait()

    await desk.show(an_endpoint(), reading=FULL)
    calling = asyncio.create_task(call())
    await until(lambda: desk.room.held == 1)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    assert desk.room.held == 0


async def test_a_request_that_waits_may_be_given_up(desk: Counter) -> None:
    await desk.show(an_endpoint(), reading=FULL)
    desk.ask()
    assert desk.room.complete(an_end(outcome=CompletionOutcome.CANCELLED)) is True
    assert desk.room.held == 0
    assert desk.ask(attempt=1).outcome == Ended(finished=False)


@pytest.mark.parametrize(
    ("tokens", "kind"), [(2_000_000, Shed), (4_000_001, Refused), (10_000_000, Refused)]
)
async def test_more_tokens_than_any_replica_holds_are_turned_away(
    desk: Counter, tokens: int, kind: type[object]
) -> None:
    await desk.show(an_endpoint())
    outcome = desk.ask(input_tokens=tokens).outcome
    assert type(outcome) is kind
    assert isinstance(outcome, Refused) or outcome.reason is ShedReason.TOO_LARGE  # type: ignore[union-attr]  # shed then
    assert desk.room.held == desk.room.booked == 0


async def test_a_promise_that_no_idle_replica_could_keep_makes_nobody_wait(tmp_path: Path) -> None:
    mapping = catalogue_mapping()
    mapping["models"][0]["tiers"]["interactive-fast"]["ttft_prefill_multiple"] = 1.0
    desk = Counter(tmp_path, catalogue=a_catalogue(mapping))
    await desk.show(an_endpoint())
    # 20,000 tokens: promised within 2 s, as the `big` one could; an idle `small` needs 4.5 s.
    place = desk.ask(input_tokens=20_000).outcome
    assert isinstance(place, Placed)
    assert place.expected_ttft_seconds is not None
    assert 4 < place.expected_ttft_seconds < 5
    assert isinstance(desk.ask("r-2", input_tokens=20_000).outcome, Queued)
    desk.close()


@pytest.mark.parametrize("table", [None, a_table(), a_table(WEST), a_table(shed_ppm=1_000_000)])
@pytest.mark.parametrize(
    "wrong", [{"predicted_output_tokens": 1e300}, {"input_tokens": 10_000_000}]
)
async def test_what_no_model_reads_or_writes_is_refused_wherever_it_would_go(
    desk: Counter, table: RoutingTable | None, wrong: dict[str, Any]
) -> None:
    desk.table = table
    await desk.show(an_endpoint())
    assert isinstance(desk.ask(**wrong).outcome, Refused)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["ask", "ask", "ask", "end", "renew", "wait", "vanish", "appear", "hang up"]
        ),
        st.integers(0, 5),
        st.integers(1, 3),
    ),
    max_size=40,
)


@settings(max_examples=40)
@given(STEPS)
async def test_whatever_happens_books_agree_and_return_to_zero(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    desk = Counter(tmp_path_factory.mktemp("desk"))
    standing = {0, 1}
    await desk.show(*(an_endpoint(n) for n in standing))
    for what, number, attempt in steps:
        name = f"r-{number}"
        match what:
            case "ask":
                desk.ask(name, attempt=attempt)
            case "end":
                desk.room.complete(an_end(name))
            case "renew":
                desk.room.renew([name])
            case "wait":
                await desk.wait(7.0 * number)
            case "hang up":
                with desk.room.stream("gw"):
                    pass
            case _:
                standing ^= {number}
                desk.seconds += 1
                await desk.show(*(an_endpoint(n) for n in standing))
        assert sum((await desk.booked()).values()) == desk.room.booked <= 6
    await desk.wait(timedelta(hours=1))
    await desk.wait(timedelta(hours=1))
    assert desk.room.booked == desk.room.held == 0
    assert set((await desk.booked()).values()) <= {0}
    rows = desk.room._parts.replicas.workers(ALPHA).rows
    for column in ("kv_peak_tokens", "kv_now_tokens", "context_tokens", "waiting_prefill_tokens"):
        assert not rows[column].any()
    desk.close()
