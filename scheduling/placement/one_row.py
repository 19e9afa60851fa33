"""Best fit's question about one worker alone: would it keep every promise with this request on it?"""

from __future__ import annotations

import numpy as np

from scheduling.placement.asking import asked_of, check_model, nowhere
from scheduling.placement.margins import Margins
from scheduling.placement.placer import Placement, Reason
from scheduling.placement.scanning import WHOLE, scan
from scheduling.request import Request
from scheduling.rules.fit import ANSWERS
from scheduling.workers import Workers


class OneRow:
    """By the rows and margins of `BestFit`; needs predictions."""

    def __init__(self, margins: Margins | None = None) -> None:
        self._margins = margins or Margins()

    def fits(self, request: Request, workers: Workers, row: int, now: float) -> Placement:
        """That row when it accepts, is fresh, and breaks nothing; else none, with what it would break.

        Raises UnknownModel, InvalidInput when the output is not predicted.
        """
        check_model(request, workers)
        asked = asked_of(request, self._margins, WHOLE, now)
        counts = np.zeros(ANSWERS, np.int64)
        alone = slice(row, row + 1)
        found, ttft = scan(workers.rows[alone], workers.seats[alone], 1, asked, now, counts)
        if found < 0:
            return nowhere(workers, counts)
        return Placement(row=row, expected_ttft_seconds=ttft, reason=Reason.PLACED)
