"""What profile tables hold, row by row: iteration times of whole engines, operator times of single layers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ProfileKey:
    """A model on so many GPUs of one kind: what an engine law is about. Names in our spelling."""

    model: str
    gpu: str
    tensor_parallel: int

    def __str__(self) -> str:
        return f"{self.model} on {self.tensor_parallel} × {self.gpu}"


class TableKind(StrEnum):
    """Which table a file is, told by its columns."""

    ITERATIONS = "iteration times"
    LINEAR_OPERATORS = "linear operators"
    ATTENTION = "attention"
    ALL_REDUCE = "all-reduce"
    CONTEXT_SHAPE = "decode time by context"


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationRow:
    """One run of one engine: `batch` prompts of `prompt_tokens` that generate `token_count` tokens each.

    `flag` is what the source's keepers found wrong with it; `runs` > 1 = a median of that many.
    """

    place: str
    """File and line."""
    source: str
    key: ProfileKey
    prompt_tokens: int
    batch: int
    token_count: int
    prefill_seconds: float
    decode_seconds: float
    """Per iteration."""
    e2e_seconds: float | None
    flag: str = ""
    runs: int = 1

    @property
    def setting(self) -> tuple[ProfileKey, int, int, int, str]:
        """What repeated runs have in common."""
        return (self.key, self.prompt_tokens, self.batch, self.token_count, self.flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearRow:
    """All operators of one layer but attention, over a batch of tokens."""

    source: str
    key: ProfileKey
    layers: int
    batch_tokens: int
    seconds_per_layer: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRow:
    """One layer's attention: a prompt chunk behind `context_tokens`, or `batch` sequences of that context."""

    source: str
    key: ProfileKey
    is_prefill: bool
    batch: int
    chunk_tokens: int
    context_tokens: int
    seconds_per_layer: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AllReduceRow:
    """One sum over `workers` GPUs of a network; `per_node` of them share a machine."""

    network: str
    workers: int
    per_node: int
    size_bytes: int
    seconds: float
