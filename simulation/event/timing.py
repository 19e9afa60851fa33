"""How long a replica's iterations take, in closed form.

An iteration with B sequences and K tokens of context takes d0 + d1·B + d2·K seconds and adds B to K,
so n of them take n·(d0 + d1·B + d2·K) + d2·B·n(n−1)/2. Iterations that carry c tokens of a prompt
take what those tokens add to its prefill besides.
"""

from __future__ import annotations

import math
from typing import Any

from heliostat.model.engine import KNEE_TOKENS
from simulation.event.compiled import kernel
from simulation.event.layout import BLOCK_SLACK_TOKENS, CHUNKS

_ROUNDING = 1e-9


@kernel
def prompt_seconds(replica: Any, tokens: int) -> float:
    """What so many prompt tokens add to an iteration."""
    beyond = max(0, tokens - KNEE_TOKENS)
    return float(replica.prefill_token * tokens + replica.prefill_knee * beyond)


@kernel
def seconds_of(replica: Any, iterations: int) -> float:
    """So many iterations of what the replica does now."""
    n = float(iterations)
    seconds = n * replica.first_seconds + replica.growth_seconds * n * (n - 1.0) * 0.5
    if replica.phase == CHUNKS:
        done = replica.head_done
        seconds += prompt_seconds(replica, done + iterations * replica.chunk)
        seconds -= prompt_seconds(replica, done)
    return float(seconds)


@kernel
def iterations_until(replica: Any, at: float) -> int:
    """How many iterations of plain decoding end at or just after that instant; 0 = it lies before."""
    seconds = at - replica.clock
    if seconds <= 0.0:
        return 0
    slope = replica.first_seconds - 0.5 * replica.growth_seconds
    root = math.sqrt(slope * slope + 2.0 * replica.growth_seconds * seconds)
    return int(max(1, math.ceil(2.0 * seconds / (slope + root) - _ROUNDING)))


@kernel
def decode_work(replica: Any, iterations: int) -> float:
    """Replica-seconds that those iterations are worth on a full replica, which shares `decode_base`
    among as many sequences of their mean context as its memory and its law allow."""
    n, running = float(iterations), float(replica.running)
    context = float(replica.context)
    held, has = context + BLOCK_SLACK_TOKENS * running, float(replica.memory) * running
    share = replica.decode_share  # of an iteration's base, where the law is what limits the batch
    if has < replica.most * held:
        share = replica.decode_base * min(1.0, held / has)
    read = n * context + running * n * (n - 1.0) * 0.5
    return float(n * running * (share + replica.decode_sequence) + replica.decode_token * read)
