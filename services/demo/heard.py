"""Shows warnings of the demo's parts on the terminal: each kind once, repeats counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.log_events import FIELDS

_TRACEBACKS = logging.Formatter()


class Heard(logging.Handler):
    """Says the first warning of every kind with its figures, and every error; counts the others."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say
        self._times: Counter[tuple[str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`, which holds the handler's lock."""
        kind = (record.levelname.capitalize(), str(record.msg))
        self._times[kind] += 1
        if self._times[kind] == 1 or record.levelno >= logging.ERROR:
            self._say(in_words(record))

    def say_the_rest(self) -> None:
        """How many more there were of every kind that was said once."""
        for (level, event), times in self._times.items():
            if times > 1:
                self._say(f"{level}: {event}: {times} times in all.")


@contextmanager
def hearing(say: Callable[[str], None]) -> Iterator[None]:
    """Let every warning of this process be said, until the end of the block; then what was counted."""
    heard = Heard(say)
    logging.getLogger().addHandler(heard)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(heard)
        heard.say_the_rest()


def in_words(record: logging.LogRecord) -> str:
    """One record as a sentence, with its figures, and its traceback where it has one."""
    figures = ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in getattr(record, FIELDS, {}).items()
    )
    said = f"{record.levelname.capitalize()}: {record.getMessage()}"
    sentence = f"{said} ({figures})." if figures else f"{said}."
    if record.exc_info:
        sentence += "\n" + _TRACEBACKS.formatException(record.exc_info)
    return sentence
