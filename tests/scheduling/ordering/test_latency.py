"""The latency model says what the engine law says, and is found again from its own times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from heliostat.model.engine import EngineLaw
from scheduling.ordering.latency import Coefficients, LatencyModel, Sample

LAW = EngineLaw(
    prefill_base=0.023,
    prefill_per_token=0.000126,
    prefill_per_token_beyond_knee=0.000031,
    decode_base=0.0368,
    decode_per_sequence=0.0004,
    decode_per_sequence_kilotoken=0.00007,
    kv_bytes_per_token=327_680,
    kv_bytes_available=40 * 10**9,
    max_batch=32,
    fitted_batch=32,
)
TRUTH = Coefficients(per_both=2e-4, per_sequence=1e-3, per_token=3e-5, base=0.02)


@given(batch=st.integers(1, 16), tokens=st.integers(1, 8000))
def test_prefills_of_equal_prompts_take_what_the_law_says(batch: int, tokens: int) -> None:
    said = LatencyModel.of(LAW).prefill_seconds(batch, tokens)
    assert said == pytest.approx(LAW.prefill_seconds(batch * tokens))


@given(batch=st.integers(1, 16), tokens=st.integers(1, 4000), outputs=st.integers(1, 300))
def test_decoding_in_closed_form_is_the_sum_over_iterations(
    batch: int, tokens: int, outputs: int
) -> None:
    said = LatencyModel.of(LAW).decode_seconds(batch, tokens, outputs)
    summed = sum(LAW.decode_seconds(batch, tokens + k) for k in range(1, outputs))
    assert said == pytest.approx(summed)


def _samples(of: Coefficients, noise: float = 0.0) -> list[Sample]:
    luck = np.random.default_rng(1)
    return [
        Sample(
            batch=batch,
            tokens=tokens,
            seconds=float(of.at(batch, tokens)) * float(np.exp(noise * luck.standard_normal())),
        )
        for batch in (1, 2, 4, 8)
        for tokens in (100, 500, 1000, 4000)
    ]


def test_a_fit_finds_the_coefficients_behind_exact_times() -> None:
    fitted = LatencyModel.fitted(_samples(TRUTH), _samples(TRUTH))
    for found in (fitted.prefill, fitted.decode):
        assert found.per_both == pytest.approx(TRUTH.per_both)
        assert found.base == pytest.approx(TRUTH.base)
        assert found.per_sequence == pytest.approx(TRUTH.per_sequence)


def test_a_fit_of_noisy_times_has_no_coefficient_below_zero() -> None:
    bare = Coefficients(per_both=1e-4, base=1e-4)
    found = LatencyModel.fitted(_samples(bare, noise=0.3), _samples(bare, noise=0.3)).prefill
    assert min(found.per_both, found.per_sequence, found.per_token, found.base) >= 0
    assert float(found.at(4, 1000)) == pytest.approx(float(bare.at(4, 1000)), rel=0.3)


@pytest.mark.parametrize("seconds", [0.0, float("nan"), float("inf"), -1.0])
def test_times_that_are_none_are_refused(seconds: float) -> None:
    bad = [*_samples(TRUTH), Sample(batch=1, tokens=1, seconds=seconds)]
    with pytest.raises(InvalidInput, match="prefills"):
        LatencyModel.fitted(bad, _samples(TRUTH))


def test_three_times_tell_no_four_coefficients() -> None:
    with pytest.raises(InvalidInput, match="iterations"):
        LatencyModel.fitted(_samples(TRUTH), _samples(TRUTH)[:3])


@pytest.mark.parametrize("values", [{"base": -1.0}, {"base": float("nan")}, {}])
def test_coefficients_are_seconds(values: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="latency"):
        Coefficients(**values)
