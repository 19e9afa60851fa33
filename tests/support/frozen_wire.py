"""A connection whose other end can vanish without a word, as when a host loses its power."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_BLOCK = 65_536


@dataclass
class FrozenWire:
    """Carries bytes both ways until it is frozen; then it carries nothing, and closes nothing."""

    port: int = 0
    _frozen: asyncio.Event = field(default_factory=asyncio.Event)

    def freeze(self) -> None:
        self._frozen.set()

    async def carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while block := await source.read(_BLOCK):
            if self._frozen.is_set():
                await asyncio.Event().wait()
            target.write(block)
            await target.drain()


@asynccontextmanager
async def a_wire(port: int) -> AsyncIterator[FrozenWire]:
    """A wire to that port of this machine, until the block ends."""
    wire, carrying, ends = FrozenWire(), set[asyncio.Task[None]](), list[asyncio.StreamWriter]()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        ends.extend((writer, back))
        carrying.add(asyncio.create_task(wire.carry(reader, back)))
        carrying.add(asyncio.create_task(wire.carry(there, writer)))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
        for end in ends:
            end.close()
        await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)
        await server.wait_closed()
