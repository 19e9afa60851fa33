"""A process that was set up walks what lives only seldom, and what is new as often as suits it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LOOK = """
import gc
from heliostat import gc_tuning
gc_tuning.{how}()
before = [one["collections"] for one in gc.get_stats()]
kept = [[] for _ in range(300_000)]
after = [one["collections"] for one in gc.get_stats()]
print(gc.get_freeze_count() > 100, after[0] - before[0], after[2] - before[2])
"""


@pytest.mark.parametrize(
    ("how", "fewest", "most"),
    [("collect_seldom", 0, 3), ("collect_in_small_parts", 50, 300)],
)
def test_what_lives_is_walked_neither_at_once_nor_for_new_values(
    how: str, fewest: int, most: int
) -> None:
    said = subprocess.run(
        [sys.executable, "-c", _LOOK.format(how=how)], check=True, capture_output=True, text=True
    ).stdout
    frozen, looks_at_the_young, looks_at_all = said.split()
    assert (frozen, looks_at_all) == ("True", "0")
    assert fewest <= int(looks_at_the_young) <= most
