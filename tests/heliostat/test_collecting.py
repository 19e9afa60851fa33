"""A process that was set up walks what lives only seldom."""

from __future__ import annotations

import subprocess
import sys

_LOOK = """
import gc
from heliostat.collecting import collect_seldom
collect_seldom()
before = gc.get_stats()[2]["collections"]
kept = [[] for _ in range(300_000)]
print(gc.get_freeze_count() > 100, gc.get_stats()[2]["collections"] - before)
"""


def test_what_lives_is_walked_neither_at_once_nor_for_new_values() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _LOOK], check=True, capture_output=True, text=True
    ).stdout
    assert said.split() == ["True", "0"]
