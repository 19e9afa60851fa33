"""Lead weights are remembered up to a number of bytes, and made again to the same bits."""

import numpy as np
from numpy.testing import assert_array_equal

from forecasting.methods.lead_weights import REMEMBERED_BYTES, LeadWeights
from tests.forecasting.series import Floats

LEADS = np.arange(1, 51)


def seasonal(seed: int, series: int = 64) -> tuple[Floats, Floats]:
    """Coefficients of an hourly season: lags 1, 24 and 25 alone."""
    rng = np.random.default_rng(seed)
    ar, ma = np.zeros((2, series, 25))
    for one in (ar, ma):
        one[:, [0, 23, 24]] = rng.uniform(-0.3, 0.3, (series, 3))
    return ar, ma


def test_the_same_coefficients_are_computed_once() -> None:
    weights = LeadWeights()
    ar, ma = seasonal(1)
    assert weights.of(ar, ma, LEADS) is weights.of(ar.copy(), ma.copy(), LEADS.copy())


def test_memory_stays_within_its_bound_and_what_was_used_last_stays() -> None:
    weights = LeadWeights()
    often = weights.of(*seasonal(0), LEADS)
    room = REMEMBERED_BYTES // often.nbytes
    assert room > 2
    made = [often]
    for seed in range(1, 20):
        made.append(weights.of(*seasonal(seed), LEADS))
        assert weights.of(*seasonal(0), LEADS) is often
    kept = [0, *range(20 - (room - 1), 20)]
    assert all(weights.of(*seasonal(seed), LEADS) is made[seed] for seed in kept)
    gone = 20 - room
    assert weights.of(*seasonal(gone), LEADS) is not made[gone]


def test_what_is_larger_than_the_bound_is_given_and_not_kept() -> None:
    weights = LeadWeights(most_bytes=100)
    made = weights.of(*seasonal(1), LEADS)
    assert made.shape == (64, 50, 50)
    assert weights.of(*seasonal(1), LEADS) is not made


def test_weights_do_not_depend_on_the_series_beside_them() -> None:
    rng = np.random.default_rng(2)
    ar, ma = seasonal(3, series=2)
    ar[1], ma[1] = rng.uniform(-0.04, 0.04, (2, 25))
    both = LeadWeights().of(ar, ma, LEADS)
    for row in range(2):
        assert_array_equal(
            LeadWeights().of(ar[row : row + 1], ma[row : row + 1], LEADS)[0], both[row]
        )
