"""Authentication and errors at the local API, as on a control plane."""

from __future__ import annotations

from collections.abc import Collection
from typing import Never

from google.protobuf.message import Message
from grpc import aio
from grpc_status import rpc_status

from heliostat.errors import Forbidden, HeliostatError
from heliostat.model.names import RegionName
from services.identity import LOCAL, Role, identify
from services.translation.problems import status_of

Context = aio.ServicerContext[Message, Message]


class Guard:
    """Lets gateways and agents of its own region in, and whoever speaks for no region (tools, people).

    Without TLS everybody who reaches the port comes in.
    """

    def __init__(self, region: RegionName, *, plain: bool) -> None:
        self._region = region
        self._insecure = LOCAL if plain else None

    async def admit(self, context: Context, roles: Collection[Role] = tuple(Role)) -> None:
        """Ends the call with Unauthenticated or Forbidden when the caller may not come in, or has none of
        these roles."""
        try:
            who = identify(context.auth_context(), insecure=self._insecure)
            who.speak_for(self._region)
            if who.role not in roles:
                raise Forbidden(
                    f"{who} may not make this call", remedy=f"roles are {', '.join(sorted(roles))}"
                )
        except HeliostatError as error:
            await abort(context, error)


async def abort(context: Context, error: HeliostatError) -> Never:
    """End the call with the error."""
    await context.abort_with_status(rpc_status.to_status(status_of(error)))
    raise AssertionError("abort ends the call")
