"""Aladdin's placement (arXiv 2405.06856, step 3): of the workers that keep every promise, the fullest.

Rows (a) TTFT, (b) gap between tokens, (c) prefill stall, (d) memory; see `scheduling.rules`. Nothing
that runs is moved. Without a worker the caller queues the request until the next look, or opens one.
"""

from __future__ import annotations

from scheduling.placement.asking import best
from scheduling.placement.margins import Margins
from scheduling.placement.placer import Placement
from scheduling.placement.scanning import MEMORY_ONLY, WHOLE
from scheduling.request import Request
from scheduling.workers import Workers


class BestFit:
    """Implements `Placer`; needs predictions."""

    def __init__(self, margins: Margins | None = None) -> None:
        self._margins = margins or Margins()

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        return best(request, workers, self._margins, WHOLE, now)


class KvBestFit:
    """Best fit by memory alone, promises of time unheeded; with exact predictions, the oracle rival."""

    def __init__(self, margins: Margins | None = None) -> None:
        self._margins = margins or Margins()

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        return best(request, workers, self._margins, MEMORY_ONLY, now)
