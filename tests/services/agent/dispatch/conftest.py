"""The room that most tests of dispatching ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dispatching import Counter


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Counter]:
    """It has seen nothing yet."""
    counter = Counter(tmp_path)
    yield counter
    counter.close()
