"""Columns of requests check themselves, and say which request is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heliostat.errors import InvalidInput
from simulation.requests.columns import RequestColumns, joined, no_requests


def columns(**changed: Any) -> RequestColumns:
    given: dict[str, Any] = {
        "arrival_seconds": [0.0, 1.5, 1.5],
        "demand": [0, 1, 0],
        "input_tokens": [10, 20, 30],
        "output_tokens": [1, 2, 0],
    } | changed
    return RequestColumns(
        arrival_seconds=np.array(given["arrival_seconds"], np.float64),
        demand=np.array(given["demand"], np.int16),
        input_tokens=np.array(given["input_tokens"], np.int32),
        output_tokens=np.array(given["output_tokens"], np.int32),
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"arrival_seconds": [0.0, 2.0, 1.0]}, r"arrival_seconds\[1\].*sorted"),
        ({"arrival_seconds": [0.0, 2.0, np.nan]}, r"arrival_seconds\[2\].*not a time"),
        ({"input_tokens": [1, -1, 1]}, r"input_tokens\[1\].*negative"),
        ({"output_tokens": [1, 1, 10_000_001]}, r"output_tokens\[2\].*too long"),
        ({"demand": [0, 1]}, "one length"),
    ],
)
def test_a_broken_request_is_refused_by_place(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        columns(**changed)


def test_a_stretch_is_half_open() -> None:
    assert list(columns().between(0.0, 1.5).input_tokens) == [10]
    assert list(columns().between(1.5, 2.0).input_tokens) == [20, 30]


def test_parts_join_in_time_only() -> None:
    whole = columns()
    again = joined([whole.part(0, 1), no_requests(), whole.part(1, 3)])
    assert list(again.input_tokens) == [10, 20, 30]
    with pytest.raises(InvalidInput, match="sorted"):
        joined([whole.part(1, 3), whole.part(0, 1)])
    assert len(joined([])) == 0
