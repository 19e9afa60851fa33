"""The laws of one worker (a model on the GPUs of one VM type): prefill, decode iteration, KV memory.

Aladdin (arXiv 2405.06856), performance models: prefill `max(c0, k1·Σ + c1)`, decode iteration
`k2·tokens + c2·batch + c3`, KV `h·tokens + j`. A slope beyond `KNEE_TOKENS` is added, so that a law
made from an `EngineLaw` says exactly what that says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from heliostat.errors import InvalidInput
from heliostat.model.engine import EngineLaw
from scheduling.compiled import in_python
from scheduling.rules.times import iteration_seconds, prefill_seconds

_prefill_seconds = in_python(prefill_seconds)
_iteration_seconds = in_python(iteration_seconds)
BLOCK_TOKENS = 16
"""KV memory is given out in blocks of so many tokens; a sequence's last one may be empty but for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLaw:
    """Coefficients in seconds (per token, per sequence) and bytes; `error` is relative.

    `error`: how far iterations were from the law, a high quantile; margins are widened by it.
    """

    prefill_floor: float
    prefill_base: float
    prefill_per_token: float
    prefill_per_token_beyond_knee: float = 0.0
    decode_base: float
    decode_per_sequence: float
    decode_per_token: float
    kv_bytes_per_token: int
    kv_bytes_per_sequence: int
    kv_bytes_available: int
    max_batch: int
    error: float = 0.0

    def __post_init__(self) -> None:
        times = (
            self.prefill_floor,
            self.prefill_base,
            self.prefill_per_token,
            self.prefill_per_token_beyond_knee,
            self.decode_base,
            self.decode_per_sequence,
            self.decode_per_token,
            self.error,
        )
        if not all(math.isfinite(time) for time in times):
            raise InvalidInput("worker_law", f"{times} must be finite")
        if self.prefill_per_token <= 0 or self.decode_base <= 0 or self.prefill_floor < 0:
            raise InvalidInput("worker_law", "prefill and decode times must be positive")
        if self.prefill_seconds(1) <= 0:
            raise InvalidInput("worker_law", "a prefill of one token must take time")
        if min(self.decode_per_sequence, self.decode_per_token, self.error) < 0:
            raise InvalidInput("worker_law", "a larger batch cannot be faster")
        if self.kv_bytes_per_token < 1 or self.kv_tokens < 1 or self.max_batch < 1:
            raise InvalidInput("worker_law", "KV sizes and max_batch must be positive")

    @classmethod
    def of(cls, law: EngineLaw) -> WorkerLaw:
        """The same law in these words; a sequence's last block counts as empty."""
        return cls(
            prefill_floor=0.0,
            prefill_base=law.prefill_base,
            prefill_per_token=law.prefill_per_token,
            prefill_per_token_beyond_knee=law.prefill_per_token_beyond_knee,
            decode_base=law.decode_base,
            decode_per_sequence=law.decode_per_sequence,
            decode_per_token=law.decode_per_sequence_kilotoken / 1000,
            kv_bytes_per_token=law.kv_bytes_per_token,
            kv_bytes_per_sequence=law.kv_bytes_per_token * BLOCK_TOKENS,
            kv_bytes_available=law.kv_bytes_available,
            max_batch=law.max_batch,
        )

    @property
    def kv_tokens(self) -> int:
        """How many tokens of KV fit on one replica."""
        return self.kv_bytes_available // self.kv_bytes_per_token

    @property
    def kv_tokens_per_sequence(self) -> int:
        """What a sequence takes beside its tokens, in tokens."""
        return -(-self.kv_bytes_per_sequence // self.kv_bytes_per_token)

    def prefill_seconds(self, prompt_tokens: float) -> float:
        """Time of one prefill over that many prompt tokens (of all prompts in the batch)."""
        return _prefill_seconds(
            self.prefill_floor,
            self.prefill_base,
            self.prefill_per_token,
            self.prefill_per_token_beyond_knee,
            float(prompt_tokens),
        )

    def iteration_seconds(self, sequences: float, tokens: float) -> float:
        """Time of one decode iteration of so many sequences with that context in all."""
        return _iteration_seconds(
            self.decode_base,
            self.decode_per_sequence,
            self.decode_per_token,
            float(sequences),
            float(tokens),
        )
