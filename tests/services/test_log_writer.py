"""Log lines: whole ones, or none and their number; nobody who logs waits for who does not read."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from services.log_writer import LinesOrNothing


class Pipe:
    """A pipe that somebody may leave unread."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def fill(self) -> None:
        os.set_blocking(self.writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(self.writing, b"x" * 1000)
        with suppress(BlockingIOError):
            while True:
                os.write(self.writing, b"x")
        os.set_blocking(self.writing, True)

    def read(self) -> list[str]:
        parts = []
        with suppress(BlockingIOError):
            while part := os.read(self.reading, 65_536):
                parts.append(part)
        return b"".join(parts).decode().lstrip("x").splitlines()

    def close(self) -> None:
        os.close(self.writing)
        with suppress(OSError):
            os.close(self.reading)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def handler(pipe: Pipe) -> LinesOrNothing:
    return LinesOrNothing(pipe.writing, lambda lines: a_record(f"lost {lines}"))


def a_record(text: str) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, __file__, 0, text, args=None, exc_info=None)


def said(handler: LinesOrNothing, *texts: str) -> None:
    """Log in a thread, which must come to its end."""

    def say() -> None:
        for text in texts:
            handler.emit(a_record(text))

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "whoever logs waits for who does not read"


def test_lines_come_whole_and_in_order(pipe: Pipe, handler: LinesOrNothing) -> None:
    said(handler, "one", "y" * 20_000, "broken \udcff")
    assert pipe.read() == ["one", "y" * 20_000, "broken \\udcff"]


def test_what_nobody_reads_is_counted_and_its_number_said_once_there_is_room(
    pipe: Pipe, handler: LinesOrNothing
) -> None:
    pipe.fill()
    said(handler, "one", "two")
    pipe.read()
    said(handler, "three", "four")
    assert pipe.read() == ["three", "lost 2", "four"]


def test_a_line_that_was_broken_off_spoils_no_other(pipe: Pipe, handler: LinesOrNothing) -> None:
    said(handler, "y" * 200_000)
    begun = pipe.read()
    assert begun[0].startswith("yyy")
    said(handler, "next")
    assert pipe.read() == ["", "next", "lost 1"]


def test_nobody_at_the_other_end_is_no_error(
    pipe: Pipe, handler: LinesOrNothing, capfd: pytest.CaptureFixture[str]
) -> None:
    os.close(pipe.reading)
    said(handler, "one")
    assert capfd.readouterr().err == ""
