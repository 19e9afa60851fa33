"""Another user of the machine, whom its files refuse; only root can act as two users."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

NOBODY = 65_534


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter: pytest's own are closed to others. Skips unless we are root."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as two users")
    with TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


@contextmanager
def somebody_else() -> Iterator[None]:
    """Act as nobody."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
