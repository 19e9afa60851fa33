"""Aladdin's step 1 (arXiv 2405.06856): which number of GPUs makes the best worker for a load.

The batch is bounded by the promised gap, iterations and the prefills of those who join included, and by
memory at the requests' end. A worker that decodes b sequences at λ requests per second gives each a
token every `D(b) + b·P/O` seconds (iteration D, prefill P, O output tokens), so λ = b ÷ (O · gap). The
best candidate serves most requests per second and GPU of those that prefill the longest prompt in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heliostat.errors import InvalidInput
from heliostat.model.names import VmTypeName
from scheduling.laws.law import WorkerLaw
from scheduling.placement.margins import Margins
from scheduling.sizing.load import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A worker that could be: its GPUs, and the law of the model on them."""

    vm_type: VmTypeName
    gpus: int
    law: WorkerLaw

    def __post_init__(self) -> None:
        if self.gpus < 1:
            raise InvalidInput("candidate.gpus", f"{self.gpus} is not at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a candidate serves within the promise; 0 with the reason where it cannot keep it."""

    candidate: Candidate
    batch: float = 0.0
    gap_seconds: float = 0.0
    """Between tokens at that batch, stalls included."""
    residence_seconds: float = 0.0
    """From a request's prefill to its last token."""
    requests_per_second: float = 0.0
    excluded: str = ""

    @property
    def requests_per_second_per_gpu(self) -> float:
        """What candidates are compared by."""
        return self.requests_per_second / self.candidate.gpus


def configure(candidate: Candidate, load: Load, margins: Margins | None = None) -> Configuration:
    """The largest batch within the promise, and what it serves."""
    margins, law = margins or Margins(), candidate.law
    slower = (1.0 + law.error) * (1.0 + margins.time)
    prefill = slower * law.prefill_seconds(load.input_tokens)
    longest = slower * law.prefill_seconds(load.longest_input)
    if longest > load.promise.ttft_seconds:
        return _without(
            candidate, f"the longest prompt takes {longest:.2f} s, too long for its TTFT"
        )
    context = load.input_tokens + load.output_tokens / 2
    # gap(b) = base + b · each, with the prefills of those who join spread over the outputs.
    base = slower * law.decode_base
    each = slower * (law.decode_per_sequence + law.decode_per_token * context)
    each += prefill / load.output_tokens
    held = load.peak + law.kv_tokens_per_sequence
    by_memory = float(min(law.max_batch, margins.memory_share * law.kv_tokens // held))
    if by_memory < 1:
        return _without(candidate, f"{held:.0f} tokens of one request do not fit into memory")
    batch = min(by_memory, (load.promise.itl_seconds - base) / each)
    if batch < 1:
        alone = (base + each) * 1000
        return _without(candidate, f"one sequence alone has gaps of {alone:.0f} ms, too long")
    gap = base + batch * each
    return Configuration(
        candidate=candidate,
        batch=batch,
        gap_seconds=gap,
        residence_seconds=prefill + load.output_tokens * gap,
        requests_per_second=batch / (load.output_tokens * gap),
    )


def best_configuration(
    candidates: Sequence[Candidate], load: Load, margins: Margins | None = None
) -> Configuration | None:
    """The candidate that serves most per GPU, of several the one with fewer GPUs; None when none can."""
    found = [configure(candidate, load, margins) for candidate in candidates]
    able = [one for one in found if not one.excluded]
    return max(
        able, key=lambda one: (one.requests_per_second_per_gpu, -one.candidate.gpus), default=None
    )


def _without(candidate: Candidate, why: str) -> Configuration:
    return Configuration(candidate=candidate, excluded=f"{candidate.vm_type}: {why}")
