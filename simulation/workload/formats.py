"""Tells trace formats apart by what a file holds, never by its name alone."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

from heliostat.errors import InvalidTrace
from simulation.workload.readers.csv_requests import AZURE_HEADER, BURSTGPT_HEADER
from simulation.workload.readers.parquet import REQUEST_COLUMNS, SERIES_KEYS, parquet_columns
from simulation.workload.readers.plain_csv import PLAIN_HEADER, header_names, lacking
from simulation.workload.readers.servegen import FIELDS, client_files


class TraceFormat(StrEnum):
    """What `heliostat trace` can read."""

    AZURE = "azure"
    BURSTGPT = "burstgpt"
    MOONCAKE = "mooncake"
    SERVEGEN = "servegen"
    PLAIN = "requests-csv"
    REQUESTS = "requests-parquet"
    SERIES = "series-parquet"

    @property
    def holds_requests(self) -> bool:
        """True when rows are single requests; else they are bins."""
        return self not in (TraceFormat.SERVEGEN, TraceFormat.SERIES)


KNOWN = (
    "known formats are a request CSV of your own, Azure LLM inference CSV, BurstGPT CSV, Mooncake JSON "
    "lines, a "
    "ServeGen folder, and request or series parquet (docs/traces.md shows their columns)"
)

_NAME = re.compile(r'"?[^\W\d][\w .()/%-]{0,63}"?')
"""What a column may be called in a table that somebody wrote; no number and no instant."""


def detect_format(path: Path) -> TraceFormat:
    """The file's (or folder's) format. Raises InvalidTrace when it is none of ours or not there."""
    try:
        if path.is_dir():
            if client_files(path):
                return TraceFormat.SERVEGEN
            raise InvalidTrace(
                str(path), "is a folder without chunk-<client>-trace.csv", remedy=KNOWN
            )
        with path.open("rb") as file:
            head = file.read(64 * 1024)
    except OSError as error:
        raise InvalidTrace(str(path), f"cannot be read: {error.strerror or error}") from error
    if head.startswith(b"PAR1"):
        return _parquet_format(path)
    first = _first_line(head)
    names = [name.strip() for name in first.split(",")]
    if set(AZURE_HEADER) <= set(names):
        return TraceFormat.AZURE
    if set(BURSTGPT_HEADER) <= set(names):
        return TraceFormat.BURSTGPT
    if set(PLAIN_HEADER) <= set(header_names(first)):
        return TraceFormat.PLAIN
    if first.startswith("{"):
        return TraceFormat.MOONCAKE
    if client_files(path) and len(names) == FIELDS:
        return TraceFormat.SERVEGEN
    if _is_header(first):
        raise lacking(path, header_names(first))
    seen = f"its first line is {first[:60]!r}" if first else "it is empty"
    raise InvalidTrace(str(path), f"has no known format; {seen}", remedy=KNOWN)


def _parquet_format(path: Path) -> TraceFormat:
    columns = parquet_columns(path)
    if set(REQUEST_COLUMNS) <= set(columns):
        return TraceFormat.REQUESTS
    if set(SERIES_KEYS) <= set(columns):
        return TraceFormat.SERIES
    raise InvalidTrace(
        str(path), f"is parquet with the columns {', '.join(columns)[:200]}", remedy=KNOWN
    )


def _first_line(head: bytes) -> str:
    text = head.decode("utf-8", errors="replace").removeprefix("\ufeff")
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def _is_header(line: str) -> bool:
    """Whether the fields of a first line look like the names of columns, whatever is between them."""
    names = [name.strip() for name in re.split("[,;\t]", line)]
    return len(names) > 1 and all(_NAME.fullmatch(name) for name in names)
