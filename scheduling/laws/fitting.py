"""Fits a worker's laws to measured iterations: what a profile of the engine says, row by row.

All fits weigh rows by their time, so that what is small is the *relative* error, as Aladdin states it
(arXiv 2405.06856: below 10 %).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from heliostat.errors import InvalidInput

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillRow:
    """One prefill of so many prompt tokens in all."""

    tokens: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRow:
    """One decode iteration of so many sequences with so many tokens of context in all."""

    sequences: float
    tokens: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KvRow:
    """What one sequence of so many tokens took of memory."""

    tokens: float
    kv_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillFit:
    """`max(floor, base + per_token · tokens)` in seconds; `error` is the 0.9-quantile of |relative|."""

    floor: float
    base: float
    per_token: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeFit:
    """`base + per_sequence · sequences + per_token · tokens` in seconds."""

    base: float
    per_sequence: float
    per_token: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KvFit:
    """`per_token · tokens + per_sequence` in bytes."""

    per_token: float
    per_sequence: float
    error: float


def fit_prefill(rows: Sequence[PrefillRow]) -> PrefillFit:
    """The flat part up to some length and the line beyond it that together err least.

    Raises InvalidInput for fewer than two lengths, and for times or lengths that are not positive.
    """
    tokens, seconds = _column("tokens", rows), _column("seconds", rows)
    lengths = np.unique(tokens)
    if len(lengths) < 2:
        raise InvalidInput("prefill_rows", "need at least two lengths")
    fits = [_bent_at(float(bend), tokens, seconds) for bend in lengths[:-2]]
    fits.append(_bent_at(0.0, tokens, seconds))
    worth = [
        float(np.sum((_prefill(fit, tokens) / seconds - 1) ** 2)) for fit in fits if fit[2] > 0
    ]
    rising = [fit for fit in fits if fit[2] > 0]
    if not rising:
        raise InvalidInput("prefill_rows", "longer prompts do not take longer")
    floor, base, slope = rising[int(np.argmin(worth))]
    error = _error(_prefill((floor, base, slope), tokens), seconds)
    return PrefillFit(floor=floor, base=base, per_token=slope, error=error)


def fit_decode(rows: Sequence[DecodeRow]) -> DecodeFit:
    """Least squares; a coefficient that would be below zero is none.

    Raises InvalidInput for fewer than three rows, and for numbers that are not positive.
    """
    if len(rows) < 3:
        raise InvalidInput("decode_rows", f"{len(rows)} rows are not enough for three coefficients")
    seconds = _column("seconds", rows)
    columns = [np.ones(len(rows)), _column("sequences", rows), _column("tokens", rows)]
    base, per_sequence, per_token = _not_negative(np.column_stack(columns), seconds)
    expected = base + per_sequence * columns[1] + per_token * columns[2]
    return DecodeFit(
        base=base, per_sequence=per_sequence, per_token=per_token, error=_error(expected, seconds)
    )


def fit_kv(rows: Sequence[KvRow]) -> KvFit:
    """Least squares over at least two rows; raises InvalidInput as the others do."""
    if len(rows) < 2:
        raise InvalidInput("kv_rows", "need at least two rows")
    tokens, size = _column("tokens", rows), _column("kv_bytes", rows)
    columns = np.column_stack([np.ones(len(rows)), tokens])
    per_sequence, per_token = _not_negative(columns, size)
    expected = per_sequence + per_token * tokens
    return KvFit(per_token=per_token, per_sequence=per_sequence, error=_error(expected, size))


def _bent_at(bend: float, tokens: Numbers, seconds: Numbers) -> tuple[float, float, float]:
    """The law whose flat part ends at that length: floor, base, slope."""
    flat, line = tokens <= bend, tokens > bend
    weights = 1 / seconds[line]
    columns = np.column_stack([np.ones(line.sum()), tokens[line]]) * weights[:, None]
    base, slope = np.linalg.lstsq(columns, np.ones(len(weights)), rcond=None)[0]
    if flat.any():
        floor = float(np.average(seconds[flat], weights=seconds[flat] ** -2.0))
    else:
        floor = float(max(0.0, base))
    return floor, float(base), float(slope)


def _prefill(fit: tuple[float, float, float], tokens: Numbers) -> Numbers:
    floor, base, slope = fit
    return np.maximum(floor, base + slope * tokens)


def _not_negative(columns: Numbers, values: Numbers) -> list[float]:
    """Relative least squares with coefficients of at least zero."""
    largest = columns.max(axis=0)
    found, _ = nnls(columns / largest / values[:, None], np.ones(len(values)))
    return [float(one) for one in found / largest]


def _column(name: str, rows: Sequence[PrefillRow | DecodeRow | KvRow]) -> Numbers:
    values = np.array([getattr(row, name) for row in rows], dtype=np.float64)
    if not np.all(np.isfinite(values) & (values > 0)):
        raise InvalidInput(f"rows.{name}", "must be positive and finite")
    return values


def _error(expected: Numbers, seen: Numbers) -> float:
    return float(np.quantile(np.abs(seen / expected - 1), 0.9))
