"""A cache of fits that never changes an answer: what is found was fitted on exactly these bytes."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

import numpy as np

from forecasting.fitting import Fitted
from forecasting.panel import Panel
from heliostat.model.names import SeriesKey

Stamp = bytes
_Place = tuple[SeriesKey, str]


def stamp(panel: Panel, row: int, *, method: str, steps: int) -> Stamp:
    """A digest of everything that a fit of this row depends on, but for the settings."""
    digest = blake2b(digest_size=16)
    digest.update(repr((panel.grid, panel.length, method, steps)).encode())
    digest.update(np.ascontiguousarray(panel.values[row]).data)
    digest.update(np.ascontiguousarray(panel.peaks[row]).data)
    return digest.digest()


class RememberedFits:
    """The newest fit of each series and method, the least recently used dropped first; can always be lost."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._fits: OrderedDict[_Place, tuple[Stamp, Fitted]] = OrderedDict()

    def get(self, key: SeriesKey, method: str, wanted: Stamp) -> Fitted | None:
        """The fit with that stamp; None when history or horizon have changed since."""
        held = self._fits.get((key, method))
        if held is None or held[0] != wanted:
            return None
        self._fits.move_to_end((key, method))
        return held[1]

    def put(self, key: SeriesKey, method: str, made: Stamp, fitted: Fitted) -> None:
        """Keep it in place of the one before."""
        self._fits[key, method] = (made, fitted)
        self._fits.move_to_end((key, method))
        if len(self._fits) > self._limit:
            self._fits.popitem(last=False)
