"""Dispatch at the local API: asks in, decisions out, ends in; later decisions on the same stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import HeliostatError, InvalidInput, NotFound, StorageUnavailable
from heliostat.model.dispatch import (
    Completion,
    CompletionOutcome,
    DispatchAsk,
    DispatchDecision,
    Refused,
)
from heliostat.model.names import Tier
from heliostat.v1 import dispatch_pb2, dispatch_pb2_grpc
from services.agent.dispatch.mail import Mailbox
from services.agent.dispatch.service import DispatchRoom
from services.agent.journal.batch_entry import BatchState
from services.agent.local_api.guard import Context, Guard, abort
from services.identity import Role
from services.translation.dispatch import (
    LONGEST_ID,
    MOST_ASKS,
    MOST_COMPLETIONS,
    ask_from_wire,
    completion_from_wire,
    decision_to_wire,
    within,
)
from services.translation.dispatch_view import view_to_wire
from services.translation.fields import required_text
from services.translation.problems import problem_of
from services.turns import give_way

DISPATCHERS = frozenset({Role.GATEWAY, Role.ADMIN})
_REPLICAS, _MOST_REPLICAS = 100, 10_000


class LocalDispatch(dispatch_pb2_grpc.DispatchServiceServicer):
    """Speaks for a `DispatchRoom`."""

    def __init__(self, room: DispatchRoom, catalogue: FleetCatalogue, guard: Guard) -> None:
        self._room = room
        self._catalogue = catalogue
        self._guard = guard

    async def Dispatch(  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[dispatch_pb2.DispatchRequest], context: Context
    ) -> AsyncIterator[dispatch_pb2.DispatchResponse]:
        """Answers every message and sends later decisions, until the gateway disconnects."""
        await self._guard.admit(context, DISPATCHERS)
        await self._room.warm()
        try:
            first = await _first_of(request_iterator)
        except InvalidInput as error:
            await abort(context, error)
        gateway_id = first.gateway_id
        with self._room.stream(gateway_id) as box:
            hearing = asyncio.create_task(self._hear(first, request_iterator, gateway_id, box))
            hearing.add_done_callback(lambda _: box.close())
            try:
                while decisions := await box.take():
                    yield dispatch_pb2.DispatchResponse(
                        decisions=[decision_to_wire(one) for one in decisions]
                    )
                await hearing
            except HeliostatError as error:
                await abort(context, error)
            finally:
                hearing.cancel()
                await asyncio.gather(hearing, return_exceptions=True)

    async def Complete(  # noqa: N802 - gRPC's name
        self, request: dispatch_pb2.CompleteRequest, context: Context
    ) -> dispatch_pb2.CompleteResponse:
        """Ends requests; what is wrong with one says so and leaves the others."""
        await self._guard.admit(context, DISPATCHERS)
        await self._room.warm()
        try:
            within("completions", len(request.completions), MOST_COMPLETIONS)
            return await self._complete(request)
        except HeliostatError as error:
            await abort(context, error)

    async def GetDispatch(  # noqa: N802 - gRPC's name
        self, request: dispatch_pb2.GetDispatchRequest, context: Context
    ) -> dispatch_pb2.GetDispatchResponse:
        """What the agent dispatches by."""
        await self._guard.admit(context)
        try:
            if request.model:
                self._catalogue.model(request.model)
            if request.page_size < 0:
                raise InvalidInput("page_size", f"{request.page_size} is negative")
            limit = min(request.page_size or _REPLICAS, _MOST_REPLICAS)
            return view_to_wire(await self._room.view(model=request.model, limit=limit))
        except HeliostatError as error:
            await abort(context, error)

    # --- inside --------------------------------------------------------------------------------

    async def _hear(
        self,
        first: dispatch_pb2.DispatchRequest,
        rest: AsyncIterator[dispatch_pb2.DispatchRequest],
        gateway_id: str,
        box: Mailbox,
    ) -> None:
        """Answers messages into the box, as long as the gateway reads what is there. Raises InvalidInput."""
        box.put(await self._answer(first, gateway_id))
        async for request in rest:
            await box.room()
            box.put(await self._answer(request, gateway_id))

    async def _answer(
        self, request: dispatch_pb2.DispatchRequest, gateway_id: str
    ) -> list[DispatchDecision]:
        """One message's decisions, in the order of its asks. Raises InvalidInput."""
        if request.gateway_id not in ("", gateway_id):
            raise InvalidInput("gateway_id", f"this stream is of {gateway_id}")
        within("asks", len(request.asks), MOST_ASKS)
        within("running_request_ids", len(request.running_request_ids), MOST_ASKS)
        self._room.renew(request.running_request_ids)
        decided: list[DispatchDecision | None] = []
        batch: dict[int, DispatchAsk] = {}
        for place, wire in enumerate(request.asks):
            await give_way(place)
            try:
                ask = ask_from_wire(f"asks[{place}]", wire, self._catalogue)
            except (InvalidInput, NotFound) as error:
                decided.append(self._wrong(wire, error))
                continue
            if ask.tier is Tier.BATCH:
                batch[place] = ask
            decided.append(None if place in batch else self._room.decide(ask, gateway_id))
        if batch:
            taken = await self._room.take(list(batch.values()), gateway_id)
            for place, decision in zip(batch, taken, strict=True):
                decided[place] = decision
        return [one for one in decided if one is not None]

    def _wrong(self, wire: dispatch_pb2.DispatchAsk, error: HeliostatError) -> DispatchDecision:
        decision = DispatchDecision(
            request_id=wire.request_id[:LONGEST_ID],
            attempt=wire.attempt or 1,
            outcome=Refused(error=error),
        )
        self._room.tally.decided(decision.outcome)
        return decision

    async def _complete(
        self, request: dispatch_pb2.CompleteRequest
    ) -> dispatch_pb2.CompleteResponse:
        answer = dispatch_pb2.CompleteResponse()
        on_disk: dict[str, Completion] = {}
        for place, wire in enumerate(request.completions):
            await give_way(place)
            try:
                completion = completion_from_wire(f"completions[{place}]", wire)
            except InvalidInput as error:
                problem = problem_of(error)
                answer.refused.add(request_id=wire.request_id[:LONGEST_ID], problem=problem)
                continue
            if self._room.may_be_on_disk(completion.request_id):
                on_disk.setdefault(completion.request_id, completion)
            else:
                _count(answer, self._room.complete(completion))
        if on_disk:
            await self._end_on_disk(on_disk, answer)
        return answer

    async def _end_on_disk(
        self, ends: Mapping[str, Completion], answer: dispatch_pb2.CompleteResponse
    ) -> None:
        """Written down first: a place that is free in memory and taken on disk would be given twice."""
        try:
            before = await self._room.end(
                {
                    name: completion.outcome is CompletionOutcome.FINISHED
                    for name, completion in ends.items()
                }
            )
        except StorageUnavailable as error:
            for name in ends:
                answer.refused.add(request_id=name, problem=problem_of(error))
            return
        for name, completion in ends.items():
            state: BatchState | None = before.get(name)
            if state is None:
                answer.unknown += 1
            elif state.ended:
                # Its place too, if the call before broke off once it was on disk.
                self._room.complete(completion)
                answer.already_closed += 1
            else:
                self._room.complete_batch(completion)
                answer.closed += 1


async def _first_of(
    requests: AsyncIterator[dispatch_pb2.DispatchRequest],
) -> dispatch_pb2.DispatchRequest:
    """The message that says who speaks. Raises InvalidInput."""
    first = await anext(requests, None)
    if first is None or not 0 < len(first.gateway_id) <= LONGEST_ID:
        wrong = f"the first message must say it, in at most {LONGEST_ID} characters"
        raise InvalidInput("gateway_id", wrong)
    required_text("gateway_id", first.gateway_id)
    return first


def _count(answer: dispatch_pb2.CompleteResponse, closed: bool | None) -> None:
    if closed is None:
        answer.unknown += 1
    elif closed:
        answer.closed += 1
    else:
        answer.already_closed += 1
