"""Fits the two laws to times: non-negative least squares on relative errors (Lawson and Hanson, 1974).

Times span three orders of magnitude, so it is relative errors that are squared. Coefficients below
0 would make an engine faster the more it has to do.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from heliostat.model.engine import KNEE_TOKENS
from simulation.columns import Floats
from simulation.profiles.law import Fit

FEWEST_POINTS = 4
"""One more than a law has coefficients."""


def fit_prefill(tokens: Floats, seconds: Floats, rows: int) -> Fit | None:
    """a, b, c of `a + b·N + c·max(0, N − 2048)`; None when the points cannot tell a and b apart."""
    design = np.column_stack([np.ones_like(tokens), tokens, np.maximum(0.0, tokens - KNEE_TOKENS)])
    found = _fit(design, seconds, rows, least_rank=2)
    return found if found and min(found.coefficients[:2]) > 0 else None


def fit_decode(batch: Floats, context: Floats, seconds: Floats, rows: int) -> Fit | None:
    """d0, d1, d2 of `d0 + d1·B + d2·B·context/1000`; None when the points cannot tell them apart."""
    design = np.column_stack([np.ones_like(batch), batch, batch * context / 1000])
    found = _fit(design, seconds, rows, least_rank=3)
    return found if found and found.coefficients[0] > 0 else None


def _fit(design: Floats, seconds: Floats, rows: int, *, least_rank: int) -> Fit | None:
    scaled = design / np.maximum(design.max(axis=0, initial=0.0), 1e-300)
    if len(np.unique(design, axis=0)) < FEWEST_POINTS:
        return None
    if np.linalg.matrix_rank(scaled) < least_rank:
        return None
    coefficients, _ = nnls(design / seconds[:, None], np.ones_like(seconds))
    errors = np.abs(design @ coefficients / seconds - 1)
    a, b, c = (float(value) for value in coefficients)
    return Fit(
        coefficients=(a, b, c),
        mape=float(errors.mean()),
        worst=float(errors.max()),
        points=len(seconds),
        rows=rows,
    )
