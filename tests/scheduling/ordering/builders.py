"""Small queues for tests of orderings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from heliostat.model.names import ModelName, Tier
from scheduling.lengths.prediction import LengthPrediction
from scheduling.ordering.latency import Coefficients, LatencyModel
from scheduling.ordering.port import Queue
from scheduling.request import Promise, Request

LATENCY = LatencyModel(
    prefill=Coefficients(per_both=1e-4, base=0.02),
    decode=Coefficients(per_both=1e-7, per_sequence=5e-4, base=0.03),
)
"""About a 70B model on two GPUs."""


def a_request(
    name: str = "a", *, output: float = 100.0, doubt: float = 0.0, **changes: Any
) -> Request:
    """A prompt of 500 tokens that has to start within ten seconds."""
    values: dict[str, Any] = {
        "id": name,
        "model": ModelName("alpha"),
        "tier": Tier.INTERACTIVE_FAST,
        "input_tokens": 500,
        "arrival": 0.0,
        "promise": Promise(ttft_seconds=10.0, itl_seconds=0.05),
        "predicted": LengthPrediction(
            mean_tokens=output, deviation_tokens=doubt, high_tokens=output + doubt
        ),
    }
    return Request(**(values | changes))


def a_queue(*requests: Request, now: float = 0.0, cap: int = 2, **changes: Any) -> Queue:
    """These requests at one replica."""
    return Queue(requests=requests, latency=LATENCY, now=now, batch_cap=cap, **changes)


def until(seconds: float) -> Promise:
    """All of it within so many seconds."""
    return Promise(ttft_seconds=math.inf, itl_seconds=math.inf, e2e_seconds=seconds)


@st.composite
def queues(draw: st.DrawFn, most: int = 12, cap: int = 8) -> Queue:
    """Queues of up to `most` requests, some late, some hopeless, some in doubt."""
    promises = [
        until(30.0),
        until(5.0),
        Promise(ttft_seconds=10.0, itl_seconds=0.05),
        Promise(ttft_seconds=1.0, itl_seconds=0.001),
    ]
    requests = [
        a_request(
            str(number),
            output=draw(st.integers(1, 900)),
            doubt=draw(st.sampled_from([0.0, 100.0])),
            input_tokens=draw(st.integers(1, 4000)),
            arrival=-draw(st.integers(0, 120)) / 2,
            tier=draw(st.sampled_from(list(Tier))),
            promise=draw(st.sampled_from(promises)),
        )
        for number in range(draw(st.integers(0, most)))
    ]
    return a_queue(
        *requests,
        cap=draw(st.integers(1, cap)),
        free_in_seconds=draw(st.sampled_from([0.0, 1.5])),
        continuous=draw(st.booleans()),
    )


def chance(seed: int = 1) -> np.random.Generator:
    """Luck that can be repeated."""
    return np.random.default_rng(seed)
