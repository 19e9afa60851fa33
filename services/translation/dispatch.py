"""Asks, decisions and completions of the dispatcher, in both directions; wrong ones are named by field."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.dispatch import (
    Completion,
    DispatchAsk,
    DispatchDecision,
    Ended,
    OtherRegion,
    Placed,
    Queued,
    Refused,
    Shed,
    Withdrawn,
)
from heliostat.model.names import ModelName
from heliostat.v1 import dispatch_pb2
from services.translation.enums import (
    COMPLETION_OUTCOME,
    PLACEMENT_BASIS,
    SHED_REASON,
    TIER,
    WITHDRAWAL_REASON,
)
from services.translation.fields import (
    count,
    instant_from_wire,
    instant_to_wire,
    length_from_wire,
    length_to_wire,
    required_text,
)
from services.translation.names import named_at, pool_from_wire, pool_to_wire
from services.translation.problems import problem_of

LONGEST_ID = 200
MOST_ASKS = 1_000
MOST_COMPLETIONS = 10_000


def ask_from_wire(
    path: str, ask: dispatch_pb2.DispatchAsk, catalogue: FleetCatalogue
) -> DispatchAsk:
    """The ask. Raises InvalidInput, UnknownModel, UnknownTier (the model does not offer it)."""
    with named_at(f"{path}.model"):
        model = catalogue.model(ask.model)
    tier = TIER.from_wire(f"{path}.tier", ask.tier)
    with named_at(f"{path}.tier"):
        model.offered(tier)
    known = ask_of_journal(path, ask)
    if ask.HasField("complete_by") and known.complete_by is None:
        raise InvalidInput(f"{path}.complete_by", f"{tier} requests have none")
    return known


def ask_of_journal(path: str, ask: dispatch_pb2.DispatchAsk) -> DispatchAsk:
    """An ask whose names were checked when it was taken in. Raises InvalidInput."""
    try:
        return DispatchAsk(
            request_id=_id(f"{path}.request_id", ask.request_id),
            attempt=ask.attempt or 1,
            model=ModelName(ask.model),
            tier=TIER.from_wire("tier", ask.tier),
            input_tokens=ask.input_tokens,
            predicted_output_tokens=(
                ask.predicted_output_tokens if ask.HasField("predicted_output_tokens") else None
            ),
            session=ask.session and _id(f"{path}.session", ask.session),
            forwarded=ask.forwarded,
            complete_by=(
                instant_from_wire("complete_by", ask.complete_by)
                if ask.HasField("complete_by")
                else None
            ),
        )
    except InvalidInput as error:
        raise _at(path, error) from None


def ask_to_wire(ask: DispatchAsk) -> dispatch_pb2.DispatchAsk:
    """The ask."""
    return dispatch_pb2.DispatchAsk(
        request_id=ask.request_id,
        attempt=ask.attempt,
        model=ask.model,
        tier=TIER.to_wire(ask.tier),
        input_tokens=ask.input_tokens,
        predicted_output_tokens=ask.predicted_output_tokens,
        session=ask.session,
        forwarded=ask.forwarded,
        complete_by=None if ask.complete_by is None else instant_to_wire(ask.complete_by),
    )


def placed_to_wire(placed: Placed) -> dispatch_pb2.PlacedDecision:
    """The place."""
    return dispatch_pb2.PlacedDecision(
        replica_id=placed.replica_id,
        pool=pool_to_wire(placed.pool),
        address=placed.address,
        priority=placed.priority,
        expected_ttft_seconds=placed.expected_ttft_seconds,
        basis=PLACEMENT_BASIS.to_wire(placed.basis),
        lease=length_to_wire(placed.lease),
        session_kept=placed.session_kept,
    )


def placed_from_wire(path: str, placed: dispatch_pb2.PlacedDecision) -> Placed:
    """The place. Raises InvalidInput."""
    return Placed(
        replica_id=required_text(f"{path}.replica_id", placed.replica_id),
        pool=pool_from_wire(f"{path}.pool", placed.pool),
        address=placed.address,
        priority=placed.priority,
        expected_ttft_seconds=(
            placed.expected_ttft_seconds if placed.HasField("expected_ttft_seconds") else None
        ),
        basis=PLACEMENT_BASIS.from_wire(f"{path}.basis", placed.basis),
        lease=length_from_wire(f"{path}.lease", placed.lease),
        session_kept=placed.session_kept,
    )


def decision_to_wire(decision: DispatchDecision) -> dispatch_pb2.DispatchDecision:
    """The decision."""
    message = dispatch_pb2.DispatchDecision(
        request_id=decision.request_id, attempt=decision.attempt, replayed=decision.replayed
    )
    match decision.outcome:
        case Placed() as placed:
            message.placed.CopyFrom(placed_to_wire(placed))
        case Queued() as queued:
            message.queued.durable = queued.durable
            message.queued.due.CopyFrom(instant_to_wire(queued.due))
            message.queued.ahead = queued.ahead
            message.queued.reason = queued.reason
        case OtherRegion() as other:
            message.other_region.region = other.region
            message.other_region.ingress_endpoint = other.ingress_endpoint
            message.other_region.hop_header = other.hop_header
            message.other_region.table_version = other.table_version
            message.other_region.table_stale = other.table_stale
            message.other_region.reason = other.reason
        case Shed() as shed:
            message.shed.reason = SHED_REASON.to_wire(shed.reason)
            message.shed.detail = shed.detail
            if shed.retry_after is not None:
                message.shed.retry_after.CopyFrom(length_to_wire(shed.retry_after))
        case Withdrawn() as withdrawn:
            message.withdrawn.reason = WITHDRAWAL_REASON.to_wire(withdrawn.reason)
            message.withdrawn.replica_id = withdrawn.replica_id
            message.withdrawn.queued_again = withdrawn.queued_again
        case Ended(finished=finished):
            message.ended.finished = finished
        case Refused(error=error):
            message.refused.CopyFrom(problem_of(error))
        case other_outcome:
            assert_never(other_outcome)
    return message


def completion_from_wire(path: str, completion: dispatch_pb2.Completion) -> Completion:
    """The end of a request. Raises InvalidInput."""
    measured = completion.HasField
    try:
        return Completion(
            request_id=_id(f"{path}.request_id", completion.request_id),
            outcome=COMPLETION_OUTCOME.from_wire("outcome", completion.outcome),
            output_tokens=completion.output_tokens if measured("output_tokens") else None,
            ttft_seconds=completion.ttft_seconds if measured("ttft_seconds") else None,
            e2e_seconds=completion.e2e_seconds if measured("e2e_seconds") else None,
        )
    except InvalidInput as error:
        raise _at(path, error) from None


def within(path: str, number: int, most: int) -> None:
    """Raises InvalidInput when a message holds more than it may."""
    if count(path, number) > most:
        raise InvalidInput(path, f"has {number} items, at most {most} are allowed per message")


def lease_of(seconds: float) -> timedelta:
    """A lease as the wire carries it: whole milliseconds."""
    return timedelta(milliseconds=round(seconds * 1000))


def _id(path: str, text: str) -> str:
    if len(text) > LONGEST_ID:
        raise InvalidInput(path, f"has {len(text)} characters, at most {LONGEST_ID} are allowed")
    return required_text(path, text)


def _at(path: str, error: InvalidInput) -> InvalidInput:
    """The same complaint with the whole path of its field."""
    if error.field.startswith(path):
        return error
    message = str(error.args[0]).removeprefix(f"{error.field}: ")
    return InvalidInput(f"{path}.{error.field}", message, remedy=error.remedy)
