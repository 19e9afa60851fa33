"""How a call at the local door is refused: with the same status and details as by a control plane."""

from __future__ import annotations

from typing import Never

from google.protobuf.message import Message
from grpc import aio
from grpc_status import rpc_status

from heliostat.errors import HeliostatError
from services.translation.problems import status_of

Context = aio.ServicerContext[Message, Message]


async def abort(context: Context, error: HeliostatError) -> Never:
    """End the call with the error."""
    await context.abort_with_status(rpc_status.to_status(status_of(error)))
    raise AssertionError("abort ends the call")
