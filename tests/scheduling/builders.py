"""Requests, laws and workers, said in few words."""

from __future__ import annotations

from typing import Any

from heliostat.model.names import ModelName, Tier
from scheduling.laws.law import WorkerLaw
from scheduling.lengths.prediction import LengthPrediction
from scheduling.request import Promise, Request
from scheduling.workers import Workers

MODEL = ModelName("llama")


def a_law(**changes: Any) -> WorkerLaw:
    """0.1 ms a prompt token, never under 50 ms; iterations of 20 ms and 0.1 ms a sequence; memory for
    100,000 tokens, a sequence takes 16 more."""
    law: dict[str, Any] = {
        "prefill_floor": 0.05,
        "prefill_base": 0.02,
        "prefill_per_token": 1e-4,
        "decode_base": 0.02,
        "decode_per_sequence": 1e-4,
        "decode_per_token": 1e-7,
        "kv_bytes_per_token": 1000,
        "kv_bytes_per_sequence": 16_000,
        "kv_bytes_available": 10**8,
        "max_batch": 256,
    }
    return WorkerLaw(**(law | changes))


def a_promise(**changes: Any) -> Promise:
    """A first token within a second, then ten a second."""
    return Promise(**({"ttft_seconds": 1.0, "itl_seconds": 0.1} | changes))


def a_request(name: object = "r", *, output: float | None = 200, **changes: Any) -> Request:
    """1,000 tokens, of which 200 are expected in answer, at 0 seconds."""
    request: dict[str, Any] = {
        "id": str(name),
        "model": MODEL,
        "tier": Tier.INTERACTIVE_FAST,
        "input_tokens": 1000,
        "arrival": 0.0,
        "promise": a_promise(),
        "predicted": None if output is None else LengthPrediction.exactly(output),
    }
    return Request(**(request | changes))


def some_workers(count: int = 3, law: WorkerLaw | None = None, *, now: float = 0.0) -> Workers:
    """That many replicas a0, a1, …, idle."""
    workers = Workers(MODEL)
    for place in range(count):
        workers.appear(f"a{place}", law or a_law(), now)
    return workers
