"""The checked engine: a place that no array has is an error there, instead of somebody else's memory."""

from __future__ import annotations

import os
import subprocess
import sys

_ASK_FOR = """
import numba
from simulation.event.arrays import Arrays
from simulation.event.layout import requests

@numba.njit(boundscheck=True)
def tokens_of(world, place):
    return requests(world[0], place).input

arrays = Arrays()
print(tokens_of(arrays.world, 0))
try:
    tokens_of(arrays.world, {place})
except IndexError as error:
    print(error)
"""


def _asked_for(place: int) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", _ASK_FOR.format(place=place)],
        env=os.environ | {"HELIOSTAT_CHECKED_ENGINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()


def test_a_record_beyond_the_end_is_an_error() -> None:
    assert _asked_for(1) == ["0", "there is no record of requests"]


def test_nobodys_place_is_an_error() -> None:
    assert _asked_for(-1) == ["0", "there is no record of requests"]
