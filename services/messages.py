"""Messages as they come in at a port of ours: how large one may be, and how one that cannot be taken in is
refused by a typed error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from heliostat.errors import HeliostatError, InvalidInput, MessageTooLarge

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""The largest message that is taken in, unless a setting says otherwise."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that was not taken in, and why; it travels in the message's place."""

    error: HeliostatError


def reader(
    deserialise: Callable[[bytes], Any],
    max_bytes: int,
    check: Callable[[Any], None] = lambda _: None,
) -> Callable[[bytes], Any]:
    """Reads messages, and gives `Unreadable` for those that are too large or broken, or for which `check`
    raises InvalidInput: an exception here would end the call as INTERNAL."""

    def read(data: bytes) -> Any:
        if len(data) > max_bytes:
            return Unreadable(
                MessageTooLarge(
                    f"the message has {len(data)} bytes, the limit is {max_bytes}",
                    remedy="send smaller batches",
                )
            )
        try:
            message = deserialise(data)
            check(message)
        except DecodeError as error:
            return Unreadable(InvalidInput("message", f"cannot be read: {error}"))
        except InvalidInput as error:
            return Unreadable(error)
        return message

    return read


def taken(request: Any) -> Any:
    """The message. Raises the error of an `Unreadable`."""
    if isinstance(request, Unreadable):
        raise request.error
    return request


async def each_taken(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The messages of a stream. Raises the error of the first `Unreadable`."""
    async for request in requests:
        yield taken(request)
