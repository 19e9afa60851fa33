"""Autoregressive errors: their fit, their innovations and the paths that they continue to."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.testing import assert_allclose

from forecasting.methods.arma import best_smoothing, innovations, paths, yule_walker
from tests.forecasting.series import Floats


def simulate(
    ar: Sequence[float], ma: Sequence[float], length: int = 4000, seed: int = 0
) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=length)
    values = np.zeros(length)
    for t in range(length):
        values[t] = errors[t]
        values[t] += sum(phi * values[t - i] for i, phi in enumerate(ar, 1) if t >= i)
        values[t] += sum(theta * errors[t - i] for i, theta in enumerate(ma, 1) if t >= i)
    return values, errors


def test_yule_walker_finds_the_coefficients_that_made_a_series() -> None:
    values, _ = simulate((0.6, 0.2), ())
    assert_allclose(yule_walker(values[None], 2)[0], (0.6, 0.2), atol=0.05)


@pytest.mark.parametrize("values", [np.zeros(50), np.full(50, 3.0), np.arange(50.0), np.ones(1)])
def test_yule_walker_is_stationary_whatever_comes(values: Floats) -> None:
    ar = yule_walker(values[None], 4)[0]
    assert np.abs(np.roots(np.r_[1.0, -ar])).max() < 1


def test_innovations_are_the_errors_that_made_a_series() -> None:
    values, errors = simulate((0.5, 0.3), (0.4, 0.0, -0.2), length=200)
    found = innovations(values[None], np.array([[0.5, 0.3]]), np.array([[0.4, 0.0, -0.2]]))
    assert_allclose(found[0], errors, atol=1e-9)


def test_a_path_is_the_recursion_with_future_errors_at_zero() -> None:
    ar, ma = (0.5, 0.3), (0.4, 0.0, -0.2)
    values, errors = simulate(ar, ma, length=100)
    origin, steps = 60, 12
    known, future = values[:origin].tolist(), errors[:origin].tolist() + [0.0] * steps
    for t in range(origin, origin + steps):
        known.append(
            sum(phi * known[t - i] for i, phi in enumerate(ar, 1))
            + sum(theta * future[t - i] for i, theta in enumerate(ma, 1))
        )
    found = paths(
        values[None], np.array([ar]), np.array([ma]), np.array([origin]), np.array([1, 2, 3, 12])
    )
    assert_allclose(found[0, 0], [known[origin + lead - 1] for lead in (1, 2, 3, 12)])


def test_a_level_follows_a_random_walk_and_ignores_pure_noise() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=3000)
    walk = np.cumsum(rng.normal(size=3000))
    assert list(best_smoothing(np.array([walk, noise]), 1)) == [1.0, 0.02]
