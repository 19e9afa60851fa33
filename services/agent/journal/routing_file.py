"""The last good routing table as a file, for gateways that start while agent and control plane are down.

`{"sha256": …, "table": {…}}`: the table in the wire contract's JSON form, the checksum over that table
written with sorted keys, without spaces, in ASCII. Replaced whole, never changed in place.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from heliostat.errors import CorruptRoutingFile, HeliostatError, StorageUnavailable
from heliostat.model.routing import RoutingTable
from heliostat.v1 import routing_pb2
from services.translation.routing import table_from_wire, table_to_wire
from storage.whole_files import write_whole


def write_routing_file(path: Path, table: RoutingTable) -> None:
    """Replace the file atomically. Raises StorageUnavailable; the old file then still stands."""
    body = MessageToDict(table_to_wire(table))
    text = json.dumps({"sha256": _checksum(body), "table": body}, indent=1)
    try:
        write_whole(path, text)
    except OSError as error:
        raise StorageUnavailable(f"routing file {path}: {error}") from error


def read_routing_file(path: Path) -> RoutingTable | None:
    """The table in the file; None when there is no file. Raises CorruptRoutingFile."""
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        body, checksum = content["table"], content["sha256"]
        if checksum != _checksum(body):
            raise CorruptRoutingFile(f"{path} fails its checksum; it is not used")
        return table_from_wire("table", ParseDict(body, routing_pb2.RoutingTable()))
    except FileNotFoundError:
        return None
    except CorruptRoutingFile:
        raise
    except (OSError, ValueError, KeyError, TypeError, ParseError, HeliostatError) as error:
        raise CorruptRoutingFile(f"{path} cannot be read ({error}); it is not used") from error


def _checksum(body: dict[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
