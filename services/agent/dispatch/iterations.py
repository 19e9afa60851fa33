"""Turns measurements of engines and gateways into prefills and decode iterations for fitting a law.

An engine counts what it did between two looks: the gaps between output tokens of all sequences, and
what prefills took. Their means are one observation. Where an engine measures no gaps, what gateways
measured of single requests stands in.
"""

from __future__ import annotations

from dataclasses import dataclass

from heliostat.model.dispatch import Completion
from scheduling.booking import Company
from scheduling.laws.law import WorkerLaw
from scheduling.request import MOST_INPUT_TOKENS
from services.agent.drivers.vm.cloud import EngineWork

LEAST_GAPS = 20
"""A mean of fewer gaps between tokens says more about chance than about the engine."""
_MOST_PREFILLING = 0.5
"""An engine that read prompts for a larger share of the time does not tell iterations and stalls apart."""
_MOST_BATCHES = 2.0
"""An engine that ran so many times the law's largest batch counts something else."""
_LEAST_SHARE = 0.1
"""No engine is ten times as quick as its law: one that seems so counts something else."""
_LEAST_WAIT_SHARE = 0.25
"""A first token tells of the prefill only where the wait before it was a small part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPrefill:
    """A prefill of so many prompt tokens took so long, or several did on the mean."""

    tokens: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenIteration:
    """An iteration of so many sequences, with so many tokens of context in all, took so long."""

    sequences: float
    tokens: float
    seconds: float


def prefill_of(work: EngineWork) -> SeenPrefill | None:
    """The mean of the prefills that an engine timed; None when it timed none."""
    if not work.prefills or not work.prefill_seconds or not work.prefill_tokens:
        return None
    tokens = max(1.0, work.prefill_tokens / work.prefills)
    if tokens > MOST_INPUT_TOKENS:
        return None
    return SeenPrefill(tokens=tokens, seconds=work.prefill_seconds / work.prefills)


def iteration_of(work: EngineWork, kv_tokens: float, law: WorkerLaw) -> SeenIteration | None:
    """The mean iteration between two looks, of an engine with so many tokens in its KV memory.

    Σ gaps ÷ span is how many sequences decoded at a time (Little's law). A prefill stretches a gap of each
    of them; their share of the span is taken off, as timed, or by the law from the prompts that were
    read. None where that is too much, too little was generated, or more at a time, or sooner, than can be.
    """
    if not work.gaps or not work.gap_seconds or work.gaps < LEAST_GAPS:
        return None
    reading = work.prefill_seconds
    if reading is None:
        reading = law.prefill_per_token * (work.prompt_tokens or 0.0)
    prefilling = reading / work.span_seconds
    sequences = max(1.0, work.gap_seconds / work.span_seconds)
    if prefilling > _MOST_PREFILLING or sequences > _MOST_BATCHES * law.max_batch:
        return None
    seconds = work.gap_seconds / work.gaps * (1.0 - prefilling)
    tokens = max(sequences, kv_tokens)
    if seconds < _LEAST_SHARE * law.iteration_seconds(sequences, tokens):
        return None
    return SeenIteration(sequences=sequences, tokens=tokens, seconds=seconds)


def prefill_behind(
    completion: Completion, input_tokens: int, expected_ttft: float | None, law: WorkerLaw
) -> SeenPrefill | None:
    """What the first token of a request tells of its prefill; None where more than a small wait was to come
    before it, or it was not measured. `expected_ttft`: seconds from the same instant as the measured ones."""
    if completion.ttft_seconds is None or expected_ttft is None:
        return None
    alone = law.prefill_seconds(input_tokens) * (1.0 + law.error)
    wait = max(0.0, expected_ttft - alone)
    seconds = completion.ttft_seconds - wait
    if wait > _LEAST_WAIT_SHARE * alone or seconds <= 0:
        return None
    return SeenPrefill(tokens=input_tokens, seconds=seconds)


def iteration_behind(completion: Completion, company: Company) -> SeenIteration | None:
    """What the tokens of a request tell of iterations in the company that it ended in; None where too few
    came, they were not timed, or stalls took most of it."""
    tokens, first, last = completion.output_tokens, completion.ttft_seconds, completion.e2e_seconds
    if tokens is None or first is None or last is None or tokens - 1 < LEAST_GAPS:
        return None
    decoding = last - first
    if decoding <= 0 or company.stalled_seconds > _MOST_PREFILLING * decoding:
        return None
    return SeenIteration(
        sequences=company.sequences,
        tokens=company.context_tokens,
        seconds=(decoding - company.stalled_seconds) / (tokens - 1),
    )
