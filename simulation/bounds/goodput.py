"""The least that a request can cost a replica.

While a replica decodes B sequences that hold K tokens of context, an iteration takes
`d0 + d1·B + d2·K/1000` and gives each sequence a token. A request of I prompt and O output tokens takes
part in O − 1 iterations (its first token comes out of the prefill), at a mean context of I + O/2. So
whatever the schedule, it costs the replica

    p(I) + (O − 1)·(d1 + d2·(I + O/2)/1000)          seconds of its own, and a part of
    f iterations of d0 seconds each,

p(I) being its part of the cheapest prefill that its prompt may share. Three things bound f from
below, each a sum over requests: an iteration carries at most `max_batch` sequences, at most the KV
cache's tokens, and, where the mean gap between tokens is promised to stay within s,

    Σ (O − 1)·(d1 + d2·(I + O/2)/1000) ≤ f·(s − d0),

since iterations longer than s would break the promise of those that run in them. Nothing is lost
to waiting, to chance or to prefills that stall others: the bound is of an engine that always has
the right requests at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heliostat.errors import InvalidInput
from heliostat.model.engine import KNEE_TOKENS, EngineLaw
from simulation.columns import Floats
from simulation.local_policy import LocalPolicy, Prefill

NO_GAP = 1e-12
"""Seconds: what is left of a promised gap where an iteration of nothing fills it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """How an engine may prefill, as far as it bounds costs.

    `most_prefill_tokens`: prompts that together have no more share one prefill; 0 = each has its own.
    `chunks`: parts of prompts ride along with decode iterations, which saves the base.
    """

    most_prefill_tokens: int = 0
    chunks: bool = False

    def __post_init__(self) -> None:
        if self.most_prefill_tokens < 0:
            raise InvalidInput("most_prefill_tokens", f"{self.most_prefill_tokens} is negative")


EACH_PROMPT_ALONE = Practice()
"""The fluid engine's."""


def practice_of(local: LocalPolicy) -> Practice:
    """What a local policy of the event engine allows."""
    return Practice(
        most_prefill_tokens=local.max_prefill_tokens, chunks=local.prefill is Prefill.CHUNKS
    )


def least_prefill_seconds(law: EngineLaw, prompt_tokens: Floats, practice: Practice) -> Floats:
    """p(I): each prompt's part, by tokens, of the cheapest prefill that it may share.

    A prefill of N tokens costs a/N + b + c·max(0, 1 − 2048/N) per token: least at 2,048 tokens, or,
    where a > 2048·c, at the most tokens that it may have.
    """
    if practice.chunks:
        beyond = np.maximum(0.0, prompt_tokens - KNEE_TOKENS)
        riding: Floats = (
            law.prefill_per_token * prompt_tokens + law.prefill_per_token_beyond_knee * beyond
        )
        return riding
    most = np.maximum(prompt_tokens, practice.most_prefill_tokens)
    knee_pays = law.prefill_per_token_beyond_knee * KNEE_TOKENS >= law.prefill_base
    together = np.clip(KNEE_TOKENS, prompt_tokens, most) if knee_pays else most
    together = np.maximum(1.0, together)
    beyond = law.prefill_per_token_beyond_knee * np.maximum(0.0, together - KNEE_TOKENS)
    per_token = (law.prefill_base + beyond) / together + law.prefill_per_token
    shared: Floats = np.where(prompt_tokens > 0, per_token * prompt_tokens, 0.0)
    return shared
