"""Llumnix's freeness (arXiv 2406.03243, section 4.4.3): how many more iterations a worker could run."""

from __future__ import annotations

from scheduling.compiled import rule

ENDLESS = float("inf")


@rule
def freeness(memory_tokens: float, used_tokens: float, sequences: float) -> float:
    """(M − ΣV) ÷ B: memory that no request uses or waits for, over the batch that eats it, a token a
    sequence and iteration; below zero where more wait than fit. Endless on an idle worker."""
    if sequences <= 0.0:
        return ENDLESS
    return (memory_tokens - used_tokens) / sequences
