from forecasting.forecaster import SeasonalForecaster
from simulation.bounds.oracle import OracleForecaster
from tests.builders import NOON
from tests.forecasting.series import DAY, HOUR, demand, rates

ALL = rates(16)


def told(truth, *, now=NOON - DAY, end=NOON - DAY):
    oracle = OracleForecaster([truth], SeasonalForecaster())
    known = demand(ALL[:-96], end=end)
    (found,) = oracle.forecast([known], issued_at=now, horizon=2 * HOUR)
    return found


def test_what_was_told_is_said_at_every_level():
    truth = demand(ALL)
    found = told(truth)
    assert (found.method, found.degraded) == ("oracle", "")
    for mean, peak in zip(found.mean, found.peak, strict=True):
        assert mean == truth.tokens_per_second[-96:-88]
        assert peak == truth.peak_tokens_per_second[-96:-88]


def test_what_was_not_told_is_forecast_and_said():
    found = told(demand(ALL[:-92], end=NOON - 23 * HOUR))
    assert found.degraded == "truth known for 4 of 8 steps, the rest by harmonic-ar"
    assert found.mean[0][:4] == tuple(ALL[-96:-92])
    assert found.mean[0][5] != ALL[-91]


def test_a_truth_on_another_grid_is_not_used():
    assert told(demand(ALL[::4], step=HOUR)).method == "harmonic-ar"
