"""What goes into the log: one JSON object a line, ours in full, of libraries only what is wrong."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from services.log_events import log_json, say


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    talkative = [logging.getLogger(name) for name in ("alembic", "apscheduler")]
    before = root.level, root.handlers[:], [logger.level for logger in talkative]
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for logger, level in zip(talkative, before[2], strict=True):
        logger.setLevel(level)


def lines(level: str) -> list[str]:
    stream = io.StringIO()
    log_json(level, stream)
    logging.getLogger("alembic.runtime.migration").info("Context impl SQLiteImpl.")
    jobs = logging.getLogger("apscheduler.executors.default")
    jobs.info("Running job")
    jobs.warning("Run time of job was missed")
    jobs.error("Job raised an exception")
    say(logging.getLogger("services.x"), "plan_published", version=3)
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


def test_libraries_are_heard_only_when_something_is_wrong() -> None:
    assert lines("info") == [
        "Run time of job was missed",
        "Job raised an exception",
        "plan_published",
    ]


def test_a_library_never_says_more_than_was_asked_for() -> None:
    assert lines("error") == ["Job raised an exception"]
