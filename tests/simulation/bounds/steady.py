"""The best steady goodput that follows from the least costs of `simulation.bounds.goodput`, to hold against
the planner, the engines and the bound."""

from __future__ import annotations

import numpy as np

from heliostat.model.demand import TokenMix
from heliostat.model.engine import EngineLaw
from simulation.bounds.goodput import (
    EACH_PROMPT_ALONE,
    NO_GAP,
    Practice,
    least_prefill_seconds,
)


def best_steady_goodput(
    law: EngineLaw, mix: TokenMix, itl_seconds: float, practice: Practice = EACH_PROMPT_ALONE
) -> float:
    """θ: requests per second that a replica can start and end within their promise, at the very most.

    All requests have the mix's mean lengths. 0 where even one sequence alone breaks the promised
    mean gap between tokens; infinite `itl_seconds` = nothing is promised (batch work).
    """
    iterations = max(0.0, mix.output_tokens - 1)
    context = mix.input_tokens + mix.output_tokens / 2
    growth = law.decode_per_sequence + law.decode_per_sequence_kilotoken * context / 1000
    if iterations and law.decode_base + growth > itl_seconds:
        return 0.0
    prefill = least_prefill_seconds(law, np.array([mix.input_tokens]), practice)
    least_batches = (
        1 / law.max_batch,
        min(1.0, context / law.kv_tokens),
        min(1.0, growth / max(itl_seconds - law.decode_base, NO_GAP)) if iterations else 0.0,
    )
    seconds = float(prefill[0]) + iterations * (growth + law.decode_base * max(least_batches))
    return 1 / seconds
