"""A worker's law says what the engine law that it is made from says, in Aladdin's words."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from scheduling.laws.law import WorkerLaw
from tests.builders import a_catalogue, a_pool
from tests.scheduling.builders import a_law

ENGINE = a_catalogue().law(a_pool().model, a_pool().vm_type)


@given(st.integers(1, 50_000))
def test_prefills_take_what_the_engine_law_says(tokens: int) -> None:
    law = WorkerLaw.of(ENGINE)
    assert law.prefill_seconds(tokens) == pytest.approx(ENGINE.prefill_seconds(tokens))


@given(st.integers(1, 64), st.integers(1, 9000))
def test_iterations_take_what_the_engine_law_says(batch: int, context: int) -> None:
    seconds = WorkerLaw.of(ENGINE).iteration_seconds(batch, batch * context)
    assert seconds == pytest.approx(ENGINE.decode_seconds(batch, context))


def test_a_sequence_takes_its_tokens_and_a_block() -> None:
    law = WorkerLaw.of(ENGINE)
    assert law.kv_tokens == ENGINE.kv_tokens
    assert law.kv_tokens_per_sequence == 16


def test_short_prefills_take_the_floor() -> None:
    law = a_law()
    assert law.prefill_seconds(10) == law.prefill_seconds(300) == 0.05
    assert law.prefill_seconds(301) > 0.05


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefill_per_token": 0.0},
        {"prefill_floor": -1.0},
        {"prefill_floor": 0.0, "prefill_base": -0.5},
        {"decode_base": 0.0},
        {"decode_per_token": -1e-9},
        {"decode_base": math.nan},
        {"prefill_base": math.inf},
        {"kv_bytes_available": 999},
        {"max_batch": 0},
        {"error": -0.1},
    ],
)
def test_laws_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="worker_law"):
        a_law(**wrong)
