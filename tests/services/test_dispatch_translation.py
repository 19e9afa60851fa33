"""What dispatchers hear and say survives the wire; what is wrong is named by field."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput, UnknownModel, UnknownTier
from heliostat.model.dispatch import (
    DispatchAsk,
    DispatchDecision,
    Ended,
    OtherRegion,
    Outcome,
    Placed,
    PlacementBasis,
    Queued,
    Refused,
    Shed,
    ShedReason,
    WithdrawalReason,
    Withdrawn,
)
from heliostat.model.dispatch_view import (
    BatchQueueView,
    DispatchCounts,
    DispatchView,
    ModelBasis,
    ReplicaView,
)
from heliostat.model.fleet import Signal
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.v1 import common_pb2, dispatch_pb2
from services.translation.dispatch import (
    LONGEST_ID,
    ask_from_wire,
    ask_to_wire,
    completion_from_wire,
    decision_to_wire,
    lease_of,
    placed_from_wire,
    placed_to_wire,
)
from services.translation.dispatch_view import view_from_wire, view_to_wire
from tests.builders import MINUTE, NOON, a_catalogue, a_pool, catalogue_mapping

CATALOGUE = a_catalogue()
EAST = RegionName("east")
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
asks = st.builds(
    DispatchAsk,
    request_id=names,
    model=st.sampled_from([ModelName("alpha"), ModelName("beta")]),
    tier=st.sampled_from([Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL]),
    input_tokens=st.integers(1, 2**40),
    attempt=st.integers(1, 2**32 - 1),
    predicted_output_tokens=st.none() | st.floats(1, 1e9),
    session=st.just("") | names,
    forwarded=st.booleans(),
)
places = st.builds(
    Placed,
    replica_id=names,
    pool=st.just(a_pool()),
    address=names,
    basis=st.sampled_from(PlacementBasis),
    lease=st.floats(0.001, 1e6).map(lease_of),
    priority=st.integers(0, 9),
    expected_ttft_seconds=st.none() | st.floats(0, 1e6),
    session_kept=st.booleans(),
)
counts = st.integers(0, 2**40)
replicas = st.builds(
    ReplicaView,
    replica_id=names,
    pool=st.just(a_pool()),
    address=names,
    draining=st.booleans(),
    signal=st.sampled_from(Signal),
    signal_age_seconds=st.none() | st.floats(0, 1e6),
    running_requests=st.none() | counts,
    waiting_requests=st.none() | counts,
    kv_occupancy=st.none() | st.floats(0, 1),
    booked_requests=counts,
)
queues = st.builds(
    BatchQueueView,
    model=st.just(ModelName("alpha")),
    waiting=counts,
    promoted=counts,
    placed=counts,
    oldest_seconds=st.none() | st.floats(0, 1e6),
    first_due=st.none() | st.just(NOON),
)
views = st.builds(
    DispatchView,
    region=st.just(EAST),
    replicas=st.lists(replicas, max_size=3).map(tuple),
    replicas_known=counts,
    queues=st.lists(queues, max_size=2).map(tuple),
    held=counts,
    counts=st.builds(DispatchCounts, asked=counts, shed=counts, given_up=counts),
    bases=st.lists(
        st.builds(
            ModelBasis,
            model=st.just(ModelName("beta")),
            basis=st.sampled_from(PlacementBasis),
            fresh_replicas=counts,
            ready_replicas=counts,
        ),
        max_size=2,
    ).map(tuple),
)


@given(asks)
def test_an_ask_survives_the_wire(ask: DispatchAsk) -> None:
    assert ask_from_wire("ask", ask_to_wire(ask), CATALOGUE) == ask


def test_a_batch_ask_may_say_when_it_is_due() -> None:
    ask = DispatchAsk(
        request_id="r",
        model=ModelName("alpha"),
        tier=Tier.BATCH,
        input_tokens=1,
        complete_by=NOON + MINUTE,
    )
    assert ask_from_wire("ask", ask_to_wire(ask), CATALOGUE) == ask


@given(places)
def test_a_place_survives_the_wire(place: Placed) -> None:
    assert placed_from_wire("place", placed_to_wire(place)) == place


@given(views)
def test_a_look_survives_the_wire(view: DispatchView) -> None:
    assert view_from_wire(view_to_wire(view)) == view


def an_ask(**changes: Any) -> dispatch_pb2.DispatchAsk:
    values: dict[str, Any] = {
        "request_id": "r-1",
        "model": "alpha",
        "tier": common_pb2.TIER_INTERACTIVE_FAST,
        "input_tokens": 100,
    }
    return dispatch_pb2.DispatchAsk(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"request_id": "x" * (LONGEST_ID + 1)}, "request_id"),
        ({"request_id": "a\0b"}, "request_id"),
        ({"session": "s" * (LONGEST_ID + 1)}, "session"),
        ({"tier": 0}, "tier"),
        ({"tier": 99}, "tier"),
        ({"input_tokens": 0}, "input_tokens"),
        ({"input_tokens": -5}, "input_tokens"),
        ({"predicted_output_tokens": float("nan")}, "predicted_output_tokens"),
        ({"predicted_output_tokens": float("inf")}, "predicted_output_tokens"),
        ({"predicted_output_tokens": 0.0}, "predicted_output_tokens"),
        ({"complete_by": {"seconds": 1}}, "complete_by"),
        (
            {"tier": common_pb2.TIER_BATCH, "complete_by": {"seconds": 1, "nanos": 5}},
            "complete_by",
        ),
    ],
)
def test_what_is_wrong_with_an_ask_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ask_from_wire("asks[3]", an_ask(**changes), CATALOGUE)
    assert caught.value.field == f"asks[3].{field}"


def test_a_model_or_tier_that_is_not_offered_is_unknown() -> None:
    with pytest.raises(UnknownModel) as caught:
        ask_from_wire("asks[0]", an_ask(model="gamma"), CATALOGUE)
    assert caught.value.field == "asks[0].model"
    mapping = catalogue_mapping()
    del mapping["models"][0]["tiers"]["batch"]
    with pytest.raises(UnknownTier, match="alpha offers interactive-fast, interactive-normal"):
        ask_from_wire("asks[0]", an_ask(tier=common_pb2.TIER_BATCH), a_catalogue(mapping))


PLACED = Placed(
    replica_id="r",
    pool=a_pool(),
    address="host:1",
    basis=PlacementBasis.SIGNALS,
    lease=MINUTE,
    expected_ttft_seconds=0.5,
)
AWAY = OtherRegion(
    region=RegionName("west"),
    ingress_endpoint="host:2",
    hop_header="x-hop",
    table_version="7",
    table_stale=True,
    reason="full",
)
GONE = Withdrawn(reason=WithdrawalReason.REPLICA_GONE, replica_id="r", queued_again=True)
SHED = Shed(reason=ShedReason.TOO_LARGE, detail="much", retry_after=timedelta(seconds=2))
WRONG = Refused(error=InvalidInput("input_tokens", "0 is less than 1"))
SAMPLES: list[tuple[Outcome, str, dict[str, object]]] = [
    (PLACED, "placed", {"address": "host:1", "expected_ttft_seconds": 0.5, "basis": 1}),
    (
        Queued(durable=True, due=NOON, ahead=3, reason="because"),
        "queued",
        {"durable": True, "ahead": 3, "reason": "because"},
    ),
    (AWAY, "other_region", {"region": "west", "hop_header": "x-hop", "table_stale": True}),
    (SHED, "shed", {"reason": dispatch_pb2.SHED_REASON_TOO_LARGE, "detail": "much"}),
    (GONE, "withdrawn", {"reason": 1, "replica_id": "r", "queued_again": True}),
    (Ended(finished=True), "ended", {"finished": True}),
    (WRONG, "refused", {"reason": "INVALID_INPUT", "field": "input_tokens"}),
]


@pytest.mark.parametrize(("outcome", "kind", "said"), SAMPLES, ids=[kind for _, kind, _ in SAMPLES])
def test_an_outcome_has_its_place_on_the_wire(
    outcome: Outcome, kind: str, said: dict[str, object]
) -> None:
    decision = DispatchDecision(request_id="r-1", attempt=2, outcome=outcome, replayed=True)
    message = decision_to_wire(decision)
    assert (message.request_id, message.attempt, message.replayed) == ("r-1", 2, True)
    assert message.WhichOneof("outcome") == kind
    assert {name: getattr(getattr(message, kind), name) for name in said} == said


def test_there_is_a_sample_of_every_outcome() -> None:
    assert {type(outcome) for outcome, _, _ in SAMPLES} == set(get_args(Outcome))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"outcome": 0}, "outcome"),
        ({"output_tokens": -1}, "output_tokens"),
        ({"ttft_seconds": float("nan")}, "ttft_seconds"),
        ({"e2e_seconds": -0.5}, "e2e_seconds"),
    ],
)
def test_what_is_wrong_with_a_completion_is_named(changes: dict[str, Any], field: str) -> None:
    values: dict[str, Any] = {
        "request_id": "r-1",
        "outcome": dispatch_pb2.COMPLETION_OUTCOME_FINISHED,
    }
    with pytest.raises(InvalidInput) as caught:
        completion_from_wire("c[0]", dispatch_pb2.Completion(**(values | changes)))
    assert caught.value.field == f"c[0].{field}"


def test_what_was_not_measured_stays_unmeasured() -> None:
    message = dispatch_pb2.Completion(
        request_id="r-1", outcome=dispatch_pb2.COMPLETION_OUTCOME_FAILED
    )
    completion = completion_from_wire("c", message)
    assert completion.output_tokens is None
    assert completion.ttft_seconds is None
