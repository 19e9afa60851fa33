"""What a test reads off a stream of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from grpc import aio

Answer = TypeVar("Answer")

if TYPE_CHECKING:  # at run time these classes take no arguments
    Stream = aio.UnaryStreamCall[Any, Answer] | aio.StreamStreamCall[Any, Answer]


async def heard(stream: Stream[Answer]) -> Answer:
    """The next answer; fails when the stream has ended."""
    answer = await stream.read()
    assert answer is not aio.EOF, "the stream has ended"
    return cast("Answer", answer)  # the library's stubs call it an object
