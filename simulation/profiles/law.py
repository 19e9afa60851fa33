"""A fitted engine law with everything that one should know before trusting it: errors, range, source."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from heliostat.errors import InvalidInput
from heliostat.model.engine import EngineLaw
from simulation.profiles.hardware import kv_bytes_available, require
from simulation.profiles.rows import ProfileKey


class LawKind(StrEnum):
    """How a law came about."""

    MEASURED = "measured"
    """Fitted to iteration times of a whole engine."""
    COMPOSED = "composed"
    """Fitted to sums of measured operator times: layers, attention, all-reduce; no framework in it."""
    SCALED = "scaled"
    """Composed from another model's layers, in proportion to parameters: nobody measured this model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Three coefficients in seconds (a b c, or d0 d1 d2) and how far they are off, as shares.

    `points` are settings, `rows` the measurements behind them.
    """

    coefficients: tuple[float, float, float]
    mape: float
    worst: float
    points: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LawRange:
    """What was measured; beyond it a law extrapolates.

    Batch sizes were measured at short contexts and long contexts alone, so the tokens of a whole
    batch have a bound of their own.
    """

    prefill_tokens: tuple[int, int]
    """Fewest and most tokens of one prefill (all its prompts)."""
    most_batch: int
    most_context_tokens: int
    most_batch_tokens: int
    """Largest batch size × context per sequence."""

    def beyond(self, batch: float, context_tokens: float) -> str:
        """Why decoding that batch extrapolates, "" when it does not."""
        if batch > self.most_batch:
            return f"batch {batch:g} of at most {self.most_batch} measured"
        if context_tokens > self.most_context_tokens:
            return f"context {context_tokens:g} of at most {self.most_context_tokens} measured"
        if batch * context_tokens > self.most_batch_tokens:
            tokens = batch * context_tokens
            return f"{tokens:,.0f} tokens in a batch of at most {self.most_batch_tokens:,} measured"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedLaw:
    """Prefill and decode laws of one model on so many GPUs; `source` and `licence` go with any copy."""

    key: ProfileKey
    kind: LawKind
    source: str
    licence: str
    prefill: Fit
    decode: Fit
    range: LawRange
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What to call it where it is shown: `measured`, or `extrapolated (composed)`."""
        return self.kind if self.kind is LawKind.MEASURED else f"extrapolated ({self.kind})"

    def engine(self, *, max_batch: int | None = None) -> EngineLaw:
        """The law as engines and planners take it, with the KV cache that its GPUs leave.

        `max_batch` is the engine's own limit, by default the largest batch that was measured.
        Raises UnknownEngineLaw for a model or GPU whose dimensions we do not know, InvalidInput when
        the weights leave no room.
        """
        model, device = require(self.key.model, self.key.gpu)
        room = kv_bytes_available(model, device, self.key.tensor_parallel)
        if room < model.kv_bytes_per_token:
            raise InvalidInput("engine_law", f"{self.key}: the weights leave no room for KV cache")
        a, b, c = self.prefill.coefficients
        d0, d1, d2 = self.decode.coefficients
        return EngineLaw(
            prefill_base=a,
            prefill_per_token=b,
            prefill_per_token_beyond_knee=c,
            decode_base=d0,
            decode_per_sequence=d1,
            decode_per_sequence_kilotoken=d2,
            kv_bytes_per_token=model.kv_bytes_per_token,
            kv_bytes_available=room,
            max_batch=max_batch or self.range.most_batch,
            fitted_batch=1 if self.kind is LawKind.SCALED else self.range.most_batch,
        )
