"""A law that no engine can have is refused, and the complaint names the number."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from heliostat.errors import InvalidInput
from heliostat.model.measured_law import MeasuredLaw
from tests.builders import a_pool


def a_law(**changes: Any) -> MeasuredLaw:
    values: dict[str, Any] = {
        "pool": a_pool(),
        "prefill_base": 0.01,
        "prefill_per_token": 1e-4,
        "prefill_per_token_beyond_knee": 0.0,
        "decode_base": 0.02,
        "decode_per_sequence": 0.0,
        "decode_per_sequence_kilotoken": 1e-4,
        "error": 0.1,
        "prefills": 3,
        "iterations": 4,
    }
    return MeasuredLaw(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"prefill_per_token": 0.0}, r"prefill_per_token 0\.0 must be within \[1e-09"),
        ({"decode_base": nan}, "decode_base nan"),
        ({"prefill_base": -1.0}, r"prefill_base -1\.0 must be within \[0"),
        ({"decode_per_sequence": 1e10}, "decode_per_sequence 10000000000"),
        ({"error": inf}, "error inf"),
        ({"iteration_ratio": -0.5}, "iteration_ratio"),
        ({"prompt_tokens": (0.0, inf)}, "most prompt_tokens inf"),
        ({"sequences": (-1.0, 4.0)}, "least sequences"),
        ({"iterations": -1}, "rests on 3 prefills and -1 iterations"),
    ],
)
def test_a_number_that_cannot_be_is_named_with_the_pool(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidInput, match=f"measured_law: {a_pool()}: {named}"):
        a_law(**changes)


def test_it_rests_on_prefills_and_iterations() -> None:
    assert a_law().observed == 7
    assert a_law(prefills=0, iterations=0).observed == 0
