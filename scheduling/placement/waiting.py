"""When the first token comes on a worker that was chosen by other rules than times."""

from __future__ import annotations

from typing import Any

from scheduling.request import Request
from scheduling.rules.times import iteration_seconds
from scheduling.seats import prefill_of


def ttft_of(request: Request, worker: Any, now: float) -> float:
    """Seconds from arrival to the first token on the worker of that record (`rows.WORKER`): what it
    waited, the prefills before it, the iteration under way, its own prefill."""
    sequences = int(worker["running"] + worker["waiting"] + worker["unbooked_sequences"])
    wait = max(0.0, float(worker["prefill_free_at"]) - now)
    if sequences:
        wait += iteration_seconds(
            float(worker["decode_base"]),
            float(worker["decode_per_sequence"]),
            float(worker["decode_per_token"]),
            float(sequences),
            float(worker["context_tokens"] + worker["unbooked_kv_tokens"]),
        ) * (1.0 + float(worker["error"]))
    waited = max(0.0, now - request.arrival)
    return waited + wait + prefill_of(worker, request.input_tokens)
