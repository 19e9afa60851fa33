"""How long a request takes in a batch: the eight coefficients of SLO-aware scheduling, made or fitted.

Source: "SLO-Aware Scheduling for Large Language Model Inferences" (arXiv 2504.14966), latency predictor:
prefill `α_p·b·l + β_p·b + γ_p·l + δ_p`, one decode iteration at context l `α_d·b·l + β_d·b + γ_d·l + δ_d`,
for a batch of b, summed in closed form over the output. Batches run one after another. The slope beyond
`KNEE_TOKENS` tokens of a prefill is ours, so that a model made from an `EngineLaw` says what that says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidInput
from heliostat.model.engine import KNEE_TOKENS, EngineLaw

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Seconds of `per_both`·b·l + `per_sequence`·b + `per_token`·l + `base`."""

    per_both: float = 0.0
    per_sequence: float = 0.0
    per_token: float = 0.0
    base: float = 0.0

    def __post_init__(self) -> None:
        values = (self.per_both, self.per_sequence, self.per_token, self.base)
        if not all(0 <= value < np.inf for value in values) or sum(values) <= 0:
            raise InvalidInput("latency", f"{values} must be seconds from 0 on, not all of them 0")

    def at(self, batch: Floats | float, tokens: Floats | float) -> Floats:
        """Seconds at a batch of that many sequences and tokens each, elementwise."""
        return np.asarray(
            (self.per_both * batch + self.per_token) * tokens
            + self.per_sequence * batch
            + self.base
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured prefill or decode iteration: sequences, tokens of each (prompt or context), seconds."""

    batch: int
    tokens: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyModel:
    """What a request of l input and o output tokens takes in a batch of b, whatever its fellows are."""

    prefill: Coefficients
    decode: Coefficients
    prefill_beyond_knee: float = 0.0
    """Seconds per token of b·l beyond `KNEE_TOKENS`."""

    @classmethod
    def of(cls, law: EngineLaw) -> Self:
        """The same times as the law's, for batches of equal prompts and contexts."""
        return cls(
            prefill=Coefficients(per_both=law.prefill_per_token, base=law.prefill_base),
            decode=Coefficients(
                per_both=law.decode_per_sequence_kilotoken / 1000,
                per_sequence=law.decode_per_sequence,
                base=law.decode_base,
            ),
            prefill_beyond_knee=law.prefill_per_token_beyond_knee,
        )

    @classmethod
    def fitted(cls, prefills: Sequence[Sample], iterations: Sequence[Sample]) -> Self:
        """The model nearest to measured times, by relative least squares; a coefficient that would come
        out below 0 is left out, for an engine is not faster the more it has to do.

        Raises InvalidInput when there are fewer samples than coefficients, or times that are none.
        """
        return cls(prefill=_fitted("prefills", prefills), decode=_fitted("iterations", iterations))

    def prefill_seconds(self, batch: Floats | float, tokens: Floats | float) -> Floats:
        """Seconds to the first token of a batch that starts now; elementwise."""
        beyond = np.maximum(0.0, np.asarray(batch * tokens) - KNEE_TOKENS)
        return np.asarray(self.prefill.at(batch, tokens) + self.prefill_beyond_knee * beyond)

    def decode_seconds(
        self, batch: Floats | float, tokens: Floats | float, outputs: Floats | float
    ) -> Floats:
        """Σ over the outputs − 1 iterations after the first token, at contexts l + 1 … l + o − 1."""
        gaps = np.maximum(0.0, np.asarray(outputs) - 1.0)
        return np.asarray(gaps * self.decode.at(batch, tokens + (gaps + 1.0) / 2.0))


def _fitted(what: str, samples: Sequence[Sample]) -> Coefficients:
    seconds = np.array([one.seconds for one in samples], dtype=np.float64)
    if len(samples) < 4 or not np.all((seconds > 0) & np.isfinite(seconds)):
        raise InvalidInput(f"latency.{what}", f"{len(samples)} samples; at least 4 positive times")
    batch = np.array([one.batch for one in samples], dtype=np.float64)
    tokens = np.array([one.tokens for one in samples], dtype=np.float64)
    columns = np.column_stack([batch * tokens, batch, tokens, np.ones_like(batch)])
    kept = [0, 1, 2, 3]
    # Not scipy.optimize.nnls: every agent imports this module, and scipy.optimize takes 0.3 s to import.
    while True:
        scale = columns[:, kept].max(axis=0)
        design = columns[:, kept] / scale / seconds[:, None]
        found, *_ = np.linalg.lstsq(design, np.ones_like(seconds), rcond=None)
        if found.min() >= 0:
            values = np.zeros(4)
            values[kept] = found / scale
            both, sequence, token, base = (float(value) for value in values)
            return Coefficients(per_both=both, per_sequence=sequence, per_token=token, base=base)
        # The worst goes; all columns are positive, so the last one left cannot be negative.
        kept.pop(int(np.argmin(found)))
