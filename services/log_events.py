"""Logs as one JSON object per line: what happened in the past tense, and the figures that go with it."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from heliostat.errors import HeliostatError
from services.log_writer import LinesOrNothing

FIELDS = "heliostat_fields"
_TALKATIVE = ("alembic", "apscheduler")


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def say(logger: logging.Logger, event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event with its figures."""
    logger.log(level, event, extra={FIELDS: fields})


def reason_fields(error: BaseException) -> dict[str, Any]:
    """What a log says of an error."""
    fields: dict[str, Any] = {"error": type(error).__name__, "reason": str(error)}
    if isinstance(error, HeliostatError) and error.remedy:
        fields["remedy"] = error.remedy
    return fields


def report(logger: logging.Logger, event: str, error: BaseException, **fields: Any) -> None:
    """Log a failure that work goes on after: expected ones in a line, others with their traceback."""
    expected = isinstance(error, HeliostatError)
    logger.log(
        logging.WARNING if expected else logging.ERROR,
        event,
        exc_info=None if expected else error,
        extra={FIELDS: {**fields, **reason_fields(error)}},
    )


def log_json(level: str, stream: TextIO | None = None) -> None:
    """Send every log of this process to `stream` (standard error, for which nobody waits) as JSON lines.

    Libraries that tell of every move of theirs are heard only when something is wrong.
    """
    handler: logging.Handler
    if stream is None:
        handler = LinesOrNothing(sys.stderr.fileno(), _lines_lost)
    else:
        handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def _lines_lost(lines: int) -> logging.LogRecord:
    record = logging.LogRecord(
        __name__, logging.WARNING, __file__, 0, "log_lines_lost", args=None, exc_info=None
    )
    setattr(record, FIELDS, {"lines": lines})
    return record
