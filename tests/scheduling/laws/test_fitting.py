"""Fits find the laws that rows were made by, and say how far off they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from scheduling.laws.fitting import DecodeRow, KvRow, PrefillRow, fit_decode, fit_kv, fit_prefill
from tests.scheduling.builders import a_law

LENGTHS = [16, 64, 128, 256, 300, 512, 1024, 2048, 4096, 8192]


@settings(max_examples=30)
@given(st.floats(0.05, 0.2), st.floats(0.0, 0.03), st.floats(5e-5, 1e-3))
def test_a_prefill_law_is_recovered(floor: float, base: float, slope: float) -> None:
    law = a_law(prefill_floor=floor, prefill_base=base, prefill_per_token=slope)
    rows = [PrefillRow(tokens=n, seconds=law.prefill_seconds(n)) for n in LENGTHS]
    fit = fit_prefill(rows)
    assert fit.error < 1e-6
    assert fit.base + fit.per_token * 8192 == pytest.approx(law.prefill_seconds(8192))
    assert max(fit.floor, fit.base + fit.per_token * 16) == pytest.approx(law.prefill_seconds(16))


def test_a_prefill_law_without_a_flat_part_is_a_line() -> None:
    fit = fit_prefill([PrefillRow(tokens=n, seconds=0.01 + 1e-4 * n) for n in LENGTHS])
    assert fit.base == pytest.approx(0.01)
    assert fit.per_token == pytest.approx(1e-4)


@settings(max_examples=30)
@given(st.floats(0.005, 0.1), st.floats(0.0, 1e-3), st.floats(0.0, 1e-6))
def test_a_decode_law_is_recovered(base: float, sequence: float, token: float) -> None:
    law = a_law(decode_base=base, decode_per_sequence=sequence, decode_per_token=token)
    rows = [
        DecodeRow(sequences=b, tokens=b * c, seconds=law.iteration_seconds(b, b * c))
        for b in (1, 2, 8, 32, 64)
        for c in (100, 1000, 4000)
    ]
    fit = fit_decode(rows)
    assert fit.error < 1e-6
    assert fit.base == pytest.approx(base)
    assert fit.per_sequence == pytest.approx(sequence, abs=1e-9)
    assert fit.per_token == pytest.approx(token, abs=1e-12)


def test_noise_of_five_per_cent_leaves_the_law_within_three() -> None:
    chance, law = np.random.default_rng(5), a_law()
    rows = [
        DecodeRow(
            sequences=b,
            tokens=b * c,
            seconds=law.iteration_seconds(b, b * c) * chance.normal(1, 0.05),
        )
        for b in (1, 2, 8, 32, 64, 128)
        for c in (100, 500, 1000, 2000, 4000)
        for _ in range(4)
    ]
    fit = fit_decode(rows)
    for b, c in ((4, 300), (100, 3000)):
        said = fit.base + fit.per_sequence * b + fit.per_token * b * c
        assert said == pytest.approx(law.iteration_seconds(b, b * c), rel=0.03)
    assert 0.05 < fit.error < 0.12


def test_no_coefficient_is_below_zero() -> None:
    rows = [DecodeRow(sequences=b, tokens=100 * b * b, seconds=0.1 - 1e-4 * b) for b in range(1, 9)]
    fit = fit_decode(rows)
    assert min(fit.base, fit.per_sequence, fit.per_token) >= 0


def test_of_all_laws_without_negative_coefficients_the_nearest_is_found() -> None:
    """Against all subsets of the three coefficients, on times that follow no law."""
    chance = np.random.default_rng(3)
    for _ in range(50):
        rows = [
            DecodeRow(sequences=b, tokens=b * c, seconds=chance.uniform(0.01, 0.1))
            for b in (1, 4, 16)
            for c in (100, 1000)
        ]
        fit = fit_decode(rows)
        design = np.array([[1.0, row.sequences, row.tokens] for row in rows])
        design /= np.array([row.seconds for row in rows])[:, None]
        found = np.array([fit.base, fit.per_sequence, fit.per_token])
        worth = np.sum((design @ found - 1) ** 2)
        for some in ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]):
            free = np.linalg.lstsq(design[:, some], np.ones(len(rows)), rcond=None)[0]
            if free.min() >= 0:
                assert worth <= np.sum((design[:, some] @ free - 1) ** 2) + 1e-9


def test_memory_is_recovered() -> None:
    fit = fit_kv([KvRow(tokens=n, kv_bytes=320_000 * n + 5_000_000) for n in (10, 100, 1000)])
    assert fit.per_token == pytest.approx(320_000)
    assert fit.per_sequence == pytest.approx(5_000_000)


def test_rows_that_tell_nothing_are_refused() -> None:
    with pytest.raises(InvalidInput, match="two lengths"):
        fit_prefill([PrefillRow(tokens=10, seconds=1)] * 3)
    with pytest.raises(InvalidInput, match="do not take longer"):
        fit_prefill([PrefillRow(tokens=n, seconds=1 / n) for n in (1, 2, 3)])
    with pytest.raises(InvalidInput, match="three"):
        fit_decode([DecodeRow(sequences=1, tokens=1, seconds=1)] * 2)
    with pytest.raises(InvalidInput, match="two rows"):
        fit_kv([KvRow(tokens=1, kv_bytes=1)])
    with pytest.raises(InvalidInput, match="positive"):
        fit_kv([KvRow(tokens=1, kv_bytes=float("nan"))] * 2)
