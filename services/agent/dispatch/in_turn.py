"""Round-robin placement without signals, as far as our own bookings leave room."""

from __future__ import annotations

import math

from heliostat.model.names import ModelName
from scheduling.placement.placer import Placement, Reason
from scheduling.placement.rivals import RoundRobin
from scheduling.request import Request
from scheduling.workers import Workers


class InTurn:
    """Remembers whose turn it is, model by model."""

    def __init__(self) -> None:
        self._turns: dict[ModelName, RoundRobin] = {}

    def place(self, request: Request, workers: Workers, now: float) -> Placement:
        """The next replica whose batch our own bookings do not fill, and whose memory they leave."""
        turns = self._turns.setdefault(workers.model, RoundRobin())
        for _ in range(workers.used):
            found = turns.place(request, workers, now)
            if found.row is None:
                return found
            worker = workers.rows[found.row]
            needed = request.input_tokens + math.ceil(request.length.mean_tokens)
            room = int(worker["kv_capacity_tokens"]) - int(worker["kv_peak_tokens"])
            if worker["running"] + worker["waiting"] < worker["max_batch"] and needed <= room:
                return found
        reason = Reason.BATCH if workers.used else Reason.NO_REPLICA
        return Placement(row=None, expected_ttft_seconds=None, reason=reason)
