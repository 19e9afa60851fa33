"""Counts of replicas in words, for reasons that people read."""

from __future__ import annotations


def replicas_in_words(count: int) -> str:
    """`1 replica`, `2 replicas`."""
    return f"{count} replica" if count == 1 else f"{count} replicas"
