"""Engine laws: prefill and decode times of one model on one VM type.

`prefill = a + b·N + c·max(0, N − 2048)` with N prompt tokens in the batch, and
`decode iteration = d0 + d1·B + d2·B·context/1000` with batch size B and mean context per sequence
(the forms that the public Splitwise and SageServe profiles bear out; docs/engine-laws.md has the fits
and their errors). Times in seconds. Within `fitted_batch` the law interpolates, beyond it extrapolates.
"""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.errors import InvalidInput

KNEE_TOKENS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLaw:
    """Coefficients in seconds (per token, per sequence, per thousand context tokens)."""

    prefill_base: float
    prefill_per_token: float
    prefill_per_token_beyond_knee: float
    decode_base: float
    decode_per_sequence: float
    decode_per_sequence_kilotoken: float
    kv_bytes_per_token: int
    kv_bytes_available: int
    """Memory left for KV blocks on one replica once weights are loaded."""
    max_batch: int
    fitted_batch: int
    """Largest batch size that the source measured."""

    def __post_init__(self) -> None:
        if min(self.prefill_base, self.prefill_per_token, self.decode_base) <= 0:
            raise InvalidInput("engine_law", "prefill and decode times must be positive")
        if self.kv_bytes_per_token < 1 or self.kv_bytes_available < 1 or self.max_batch < 1:
            raise InvalidInput("engine_law", "KV sizes and max_batch must be positive")

    def prefill_seconds(self, prompt_tokens: float) -> float:
        """Time of one prefill over that many prompt tokens (of all prompts in the batch)."""
        beyond = max(0.0, prompt_tokens - KNEE_TOKENS)
        return (
            self.prefill_base
            + self.prefill_per_token * prompt_tokens
            + self.prefill_per_token_beyond_knee * beyond
        )

    def decode_seconds(self, batch: float, context_tokens: float) -> float:
        """Time of one decode iteration at that batch size and mean context."""
        return (
            self.decode_base
            + self.decode_per_sequence * batch
            + self.decode_per_sequence_kilotoken * batch * context_tokens / 1000
        )

    @property
    def kv_tokens(self) -> int:
        """How many tokens of KV cache fit on one replica."""
        return self.kv_bytes_available // self.kv_bytes_per_token

    def batch_fitting(self, context_tokens: float) -> int:
        """Largest batch whose KV cache fits at that mean context; at least 1, at most `max_batch`."""
        return max(1, min(self.max_batch, int(self.kv_tokens // max(1.0, context_tokens))))
