"""What goes up: usage in order, the newest observation, the newest word on every command.

Each `send_…` sends all that the journal holds and returns; nothing is forgotten before it was confirmed.
`confirmed` is called after everything that the control plane has taken or settled, and never when there
was nothing to send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from google.rpc import code_pb2
from grpc import aio

from heliostat.errors import (
    HeliostatError,
    InvalidInput,
    NotFound,
    RegionHeld,
    Unavailable,
    UnknownCommand,
    UnknownModel,
)
from heliostat.model.holding import AgentLife
from heliostat.v1 import fleet_pb2, usage_pb2
from services.agent.journal.agent_journal import SqliteJournal
from services.agent.journal.trying_again import Again
from services.agent.link.home import CALL_SECONDS, Home, check_end, write_to
from services.log_events import report, say
from services.translation.commands import word_to_wire
from services.translation.fleet import observation_to_wire
from services.translation.holds import life_to_wire
from services.translation.problems import error_of, error_of_problem
from services.translation.unknown_pools import leave_out

_log = logging.getLogger(__name__)

_BATCHES_IN_FLIGHT = 64
_ASIDE = frozenset({code_pb2.INVALID_ARGUMENT, code_pb2.NOT_FOUND, code_pb2.RESOURCE_EXHAUSTED})
"""A batch refused with one of these makes way for the others; anything else is worth another try at once."""
_GAP = "SEQUENCE_GAP"
_INSTANTS = ".window_start_seconds"
"""The field that is named when a batch's instants are refused: one of the two clocks is wrong."""

_UsageCall = aio.StreamStreamCall[usage_pb2.ReportUsageRequest, usage_pb2.ReportUsageResponse]


async def send_usage(home: Home, journal: SqliteJournal, confirmed: Callable[[], None]) -> None:
    """Send every batch, and again until none is left. Raises what the control plane answers."""
    if not await asyncio.to_thread(journal.usage.waiting):
        return
    call = home.usage().ReportUsage(timeout=CALL_SECONDS * 10)
    try:
        while batches := await asyncio.to_thread(journal.usage.outgoing, _BATCHES_IN_FLIGHT):
            await _exchange(call, journal, batches, confirmed)
        await call.done_writing()
        await check_end(call)
    finally:
        call.cancel()


async def _exchange(
    call: _UsageCall,
    journal: SqliteJournal,
    batches: Sequence[usage_pb2.UsageBatch],
    confirmed: Callable[[], None],
) -> None:
    """Every batch once, then whatever is lacking below them. A batch that skipped a number was not stored: it
    waits in the journal and goes again, in its turn."""
    lacking: dict[str, range] = {}
    oldest = {batch.source_id: batch.sequence for batch in reversed(batches)}
    for batch in batches:
        await write_to(call, usage_pb2.ReportUsageRequest(batch=batch))
    for _ in batches:
        answer = await _next_answer(call)
        if answer.refusal.reason == _GAP:
            source = answer.source_id
            lacking[source] = range(answer.durable_sequence + 1, oldest.get(source, 0))
        elif answer.HasField("refusal"):
            await _take_refusal(journal, answer)
        else:
            await asyncio.to_thread(
                journal.usage.sent, answer.source_id, answer.incarnation, answer.durable_sequence
            )
        confirmed()
    for source, numbers in lacking.items():
        await _fill(call, source, journal.usage.incarnation, numbers)


async def _next_answer(call: _UsageCall) -> usage_pb2.ReportUsageResponse:
    """Raises what the stream ended with."""
    answer = await call.read()
    if not isinstance(answer, usage_pb2.ReportUsageResponse):
        await check_end(call)
        raise Unavailable("the control plane ended the stream before answering")
    return answer


async def _fill(call: _UsageCall, source_id: str, incarnation: int, numbers: range) -> None:
    """Empty batches under numbers that the control plane forgot and the journal holds no more.

    What it refuses of them it says again of the batch that follows.
    """
    for missing in numbers:
        filler = usage_pb2.UsageBatch(
            source_id=source_id, incarnation=incarnation, sequence=missing
        )
        await write_to(call, usage_pb2.ReportUsageRequest(batch=filler))
        await _next_answer(call)
    if numbers:
        level = logging.WARNING
        say(_log, "usage_gap_filled", level=level, source_id=source_id, batches=len(numbers))


async def _take_refusal(journal: SqliteJournal, answer: usage_pb2.ReportUsageResponse) -> None:
    """A batch that is not taken now is set aside, and an empty one goes under its number; where one of its
    models is not known, each goes on its own."""
    error, source, sequence = error_of_problem(answer.refusal), answer.source_id, answer.sequence
    if answer.refusal.code not in _ASIDE:
        raise error
    if isinstance(error, UnknownModel):
        parts = await asyncio.to_thread(journal.usage.part, source, sequence)
        if parts:
            report(
                _log, "usage_batch_parted", error, source_id=source, sequence=sequence, parts=parts
            )
            return
    words, again = f"{type(error).__name__}: {error}", _again(error)
    await asyncio.to_thread(journal.usage.set_aside, source, sequence, words, again)
    report(_log, "usage_batch_refused", error, source_id=source, sequence=sequence)


def _again(error: HeliostatError) -> Again:
    """Whether the control plane may take later what it refuses now."""
    if isinstance(error, NotFound):
        return Again.NAMES
    of_clocks = isinstance(error, InvalidInput) and error.field.endswith(_INSTANTS)
    return Again.CLOCKS if of_clocks else Again.NEVER


async def send_observation(
    home: Home, journal: SqliteJournal, confirmed: Callable[[], None]
) -> None:
    """Report the newest observation that was not confirmed, less the pools that the control plane does not
    know (yet): those that it knows must not grow stale for them."""
    observation = await asyncio.to_thread(journal.unsent_observation)
    if observation is None:
        return
    message = observation_to_wire(observation)
    while (error := await _refusal_of(home, message, journal.life)) is not None:
        if isinstance(error, InvalidInput):
            report(_log, "observation_refused", error)
            break
        if not isinstance(error, NotFound) or not leave_out(message, error.name):
            raise error
        report(_log, "pools_not_reported", error)
    await asyncio.to_thread(journal.observation_sent, observation.observed_at)
    confirmed()


async def _refusal_of(
    home: Home, message: fleet_pb2.RegionObservation, life: AgentLife
) -> HeliostatError | None:
    """Report it; why it was not taken, None when it was."""
    request = fleet_pb2.ReportFleetRequest(observation=message, agent=life_to_wire(life))
    try:
        await home.fleet().ReportFleet(request, timeout=CALL_SECONDS)
    except aio.AioRpcError as failure:
        return error_of(failure)
    return None


async def send_words(home: Home, journal: SqliteJournal, confirmed: Callable[[], None]) -> None:
    """Send the newest word on every command.

    Words on commands that nobody knows are dropped, and all of them while another agent holds the
    region: its commands are that agent's to end. Should they come back here, their ends are said again.
    A word that is refused is kept and holds up no other; the first such refusal is raised at the end.
    """
    refused: InvalidInput | None = None
    for word in await asyncio.to_thread(journal.unsent_acks):
        try:
            message = word_to_wire(word)
            message.agent.CopyFrom(life_to_wire(journal.life))
            await home.fleet().AcknowledgeCommand(message, timeout=CALL_SECONDS)
        except aio.AioRpcError as failure:
            error = error_of(failure)
            if isinstance(error, InvalidInput):
                refused = refused or error
                continue
            if not isinstance(error, UnknownCommand | RegionHeld):
                raise error from failure
            report(_log, "word_dropped", error, command=word.command_id)
        await asyncio.to_thread(journal.ack_sent, word)
        confirmed()
    if refused is not None:
        raise refused
