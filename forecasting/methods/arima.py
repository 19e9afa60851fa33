"""Maximum-likelihood ARMA coefficients from statsmodels, imported only when something is fitted.

The import costs 190 MB, so it belongs into worker processes. Predicting needs the coefficients
alone and never imports it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from forecasting.grid import Floats, Ints
from forecasting.holes import fade
from forecasting.methods.arma import yule_walker
from forecasting.methods.harmonic import fit_season, harmonic_path
from forecasting.methods.harmonics import Harmonics
from forecasting.methods.method import Parameters
from forecasting.panel import Panel

BRIEFLY = {"options": {"maxiter": 15}}
"""The likelihood is flat at its top: 15 steps of BFGS give three digits in a third of the time."""
_ILL = (ValueError, np.linalg.LinAlgError, FloatingPointError)
"""What statsmodels raises on series that are constant, too short or not stationary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmonicArima:
    """Dynamic harmonic regression whose errors are ARIMA(2,0,1) by maximum likelihood.

    Falls back to Hannan-Rissanen, then to Yule-Walker AR(2), when the likelihood cannot be climbed.
    """

    name: str = "harmonic-arima"
    needs: timedelta = timedelta(days=14)
    harmonics: Harmonics = Harmonics()
    p: int = 2
    q: int = 1

    def fit(self, panel: Panel) -> Parameters:
        season, errors = fit_season(panel, self.harmonics)
        ar = np.zeros((panel.series, self.p))
        ma = np.zeros((panel.series, self.q))
        for row, series in enumerate(fade(errors, panel.grid)):
            ar[row], ma[row] = self._errors_of(series)
        return {**season, "ar": ar, "ma": ma}

    def predict(self, parameters: Parameters, panel: Panel, origins: Ints, leads: Ints) -> Floats:
        return harmonic_path(parameters, self.harmonics, panel, origins, leads)

    def _errors_of(self, errors: Floats) -> tuple[Floats, Floats]:
        for estimate in (_by_likelihood, _by_regression):
            found = estimate(errors, self.p, self.q)
            if found is not None and is_stationary(found[0]) and is_stationary(-found[1]):
                return found
        return yule_walker(errors[None], self.p)[0], np.zeros(self.q)


def _by_likelihood(errors: Floats, p: int, q: int) -> tuple[Floats, Floats] | None:
    """Exact maximum likelihood by the innovations algorithm."""
    from statsmodels.tsa.arima.estimators.innovations import innovations_mle

    found = quietly(
        lambda: innovations_mle(errors, order=(p, 0, q), demean=False, minimize_kwargs=BRIEFLY)[0]
    )
    return None if found is None else (found.ar_params, found.ma_params)


def _by_regression(errors: Floats, p: int, q: int) -> tuple[Floats, Floats] | None:
    """Hannan and Rissanen's two regressions: quick, a little less sharp."""
    from statsmodels.tsa.arima.estimators.hannan_rissanen import hannan_rissanen

    found = quietly(lambda: hannan_rissanen(errors, p, q, demean=False)[0])
    return None if found is None else (found.ar_params, found.ma_params)


def quietly(estimate: Callable[[], Any]) -> Any | None:
    """What an estimator of statsmodels found; None where it gave up, its advice to humans unheard."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return estimate()
        except _ILL:
            return None


def is_stationary(ar: Floats) -> bool:
    """Whether an autoregression forgets: all roots of its lag polynomial outside the unit circle.

    Of the negated MA coefficients the same test says whether they can be inverted.
    """
    if not np.isfinite(ar).all():
        return False
    roots = np.roots(np.r_[1.0, -ar])
    return bool(np.all(np.abs(roots) < 1 - 1e-6))
