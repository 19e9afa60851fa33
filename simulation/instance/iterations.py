"""Decode iterations of one replica in closed form: exact to the iteration, without walking through them."""

from __future__ import annotations

from heliostat.model.engine import EngineLaw


def iterations_seconds(law: EngineLaw, sequences: int, tokens: float, count: int) -> float:
    """Seconds of `count` iterations of `sequences`, whose contexts hold `tokens` together at the first
    and one more each at every next."""
    each = law.decode_seconds(sequences, tokens / sequences)
    growth = law.decode_per_sequence_kilotoken * sequences / 1000
    return count * each + growth * count * (count - 1) / 2


def iterations_reaching(
    law: EngineLaw, sequences: int, tokens: float, seconds: float, most: int
) -> int:
    """The fewest iterations that take at least `seconds`, within 1 … `most`."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if iterations_seconds(law, sequences, tokens, middle) >= seconds:
            high = middle
        else:
            low = middle + 1
    return low
