"""What each known value and innovation of an ARMA adds to each value ahead; remembered while they stay."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np

from forecasting.grid import Floats, Ints

REMEMBERED_BYTES = 8 * 2**20
"""Of weights, in each process. 64 series two days ahead take 0.4 MB by quarters of an hour (four AR lags),
and 1.2 MB by hours with a season (25 lags of each kind)."""

_Coefficients = tuple[int, bytes, bytes, bytes]


class LeadWeights:
    """Weights (series, p + q, leads), read-only, the least recently used dropped first.

    Coefficients stay as they are from one fit to the next, and a refresh asks for the same weights
    every quarter of an hour. What is dropped is made again, to the same bits. Safe to share between
    threads. At most `most_bytes` are kept.
    """

    def __init__(self, most_bytes: int = REMEMBERED_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[_Coefficients, Floats] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def of(self, ar: Floats, ma: Floats, leads: Ints) -> Floats:
        """For coefficients (series, p) and (series, q), and how many steps ahead each lead is."""
        key = (len(ar), ar.tobytes(), ma.tobytes(), leads.tobytes())
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        made = _made(ar, ma, leads)
        with self._lock:
            self._keep(key, made)
        return made

    def _keep(self, key: _Coefficients, made: Floats) -> None:
        if key in self._kept:  # another thread made the same meanwhile
            return
        self._kept[key] = made
        self._bytes += made.nbytes
        while self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes


def _made(ar: Floats, ma: Floats, leads: Ints) -> Floats:
    p, q = ar.shape[1], ma.shape[1]
    ar_lags, ma_lags = (np.flatnonzero(one.any(axis=0)) + 1 for one in (ar, ma))
    path = np.zeros((int(leads.max()), len(ar), p + q))
    for step in range(len(path)):
        for lag in ar_lags:
            if lag <= step:
                path[step] += ar[:, lag - 1, None] * path[step - lag]
            else:
                path[step, :, lag - step - 1] += ar[:, lag - 1]
        for lag in ma_lags[ma_lags > step]:
            path[step, :, p + lag - step - 1] += ma[:, lag - 1]
    weights = np.ascontiguousarray(path[leads - 1].transpose(1, 2, 0))
    weights.flags.writeable = False
    return weights
