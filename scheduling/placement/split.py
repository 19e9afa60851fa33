"""Placement where prefill and decode stand apart (Aladdin, split phase): row (a) on the workers that
prefill, rows (b) and (d) on those that decode.

The caller books both: the prefill worker until the first token, the decode worker, `prefilled`, until
the last.
"""

from __future__ import annotations

from dataclasses import replace

from scheduling.placement.asking import best
from scheduling.placement.margins import Margins
from scheduling.placement.placer import Placement
from scheduling.placement.scanning import DECODE_ONLY, PREFILL_ONLY
from scheduling.request import Request
from scheduling.workers import Workers


class SplitBestFit:
    """Implements `Placer` over decode workers; it is made for the prefill workers of the same model."""

    def __init__(self, prefill: Workers, margins: Margins | None = None) -> None:
        self._prefill = prefill
        self._margins = margins or Margins()

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        """`row` decodes, `prefill_row` prefills; both or neither."""
        first = best(request, self._prefill, self._margins, PREFILL_ONLY, now)
        if first.row is None:
            return first
        then = best(request, workers, self._margins, DECODE_ONLY, now)
        if then.row is None:
            return then
        ttft = first.expected_ttft_seconds
        return replace(then, expected_ttft_seconds=ttft, prefill_row=first.row)
