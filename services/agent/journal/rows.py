"""How the bodies in a journal's rows are read, and which errors mean that one is damaged.

SQLite's own check looks at pages, not at what stands in a row: a flipped bit in a body passes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from google.protobuf.message import DecodeError
from pydantic import TypeAdapter

from heliostat.errors import InvalidInput
from heliostat.model.command import Acknowledgement, Command
from heliostat.model.routing import RoutingTable
from heliostat.v1 import fleet_pb2, routing_pb2, usage_pb2
from services.agent.drivers.vm.memory import Intent, VmRecord
from services.agent.journal.batch_entry import ask_of, place_of
from services.translation.commands import command_from_wire, word_from_wire
from services.translation.routing import table_from_wire

DAMAGE = (DecodeError, ValueError, InvalidInput)
"""What reading a damaged body raises: ValueError is JSON's, UTF-8's and pydantic's."""

INTENT = TypeAdapter(Intent)
VM = TypeAdapter(VmRecord)


def command_of(body: bytes) -> Command:
    """A row of `commands`."""
    return command_from_wire("journal.command", fleet_pb2.Command.FromString(body))


def word_of(body: bytes) -> Acknowledgement:
    """A row of `words`."""
    return word_from_wire(fleet_pb2.AcknowledgeCommandRequest.FromString(body))


def table_of(body: bytes) -> RoutingTable:
    """The row of `routes`."""
    return table_from_wire("journal.routes", routing_pb2.RoutingTable.FromString(body))


_BODIES: tuple[tuple[str, str, Callable[..., object]], ...] = (
    ("commands", "body", command_of),
    ("words", "body", word_of),
    ("usage", "body", usage_pb2.UsageBatch.FromString),
    ("observation", "body", fleet_pb2.RegionObservation.FromString),
    ("routes", "body", table_of),
    ("intents", "body", INTENT.validate_json),
    ("vms", "body", VM.validate_json),
    ("batch_requests", "ask", ask_of),
    ("batch_requests", "place", place_of),
)


def check_rows(connection: sqlite3.Connection) -> None:
    """Read every body once. Raises sqlite3.DatabaseError that names the table of a damaged one."""
    for table, column, read in _BODIES:
        query = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - names of ours
        try:
            for (body,) in connection.execute(query):
                read(body)
        except (*DAMAGE, TypeError) as error:
            raise sqlite3.DatabaseError(f"a row of {table} is damaged: {error}") from error
        except sqlite3.OperationalError as error:
            if not is_damage(error):
                raise
            raise sqlite3.DatabaseError(f"a row of {table} is damaged: {error}") from error


def is_damage(error: sqlite3.OperationalError) -> bool:
    """True for a text that is none, which SQLite's binding reports like a disk that is busy."""
    return "decode to UTF-8" in str(error)
