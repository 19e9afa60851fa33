"""Decides which usage batches are new: each source and life counts its batches without a gap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from heliostat.errors import SequenceGap
from heliostat.model.usage import UsageBatch, UsageReceipt


def accepted(
    batches: Sequence[UsageBatch], durable_sequence: Callable[[str, int], int]
) -> tuple[list[UsageBatch], tuple[UsageReceipt, ...]]:
    """The batches to store, in order, and a receipt for every batch once they are stored.

    Raises SequenceGap, with nothing stored, when a batch skips a sequence.
    """
    reached: dict[tuple[str, int], int] = {}
    news: list[UsageBatch] = []
    receipts: list[UsageReceipt] = []
    for batch in batches:
        life = (batch.source_id, batch.incarnation)
        if life not in reached:
            reached[life] = durable_sequence(*life)
        replayed = batch.sequence <= reached[life]
        if not replayed:
            _check_next(batch, reached[life])
            reached[life] = batch.sequence
            news.append(batch)
        receipts.append(
            UsageReceipt(
                source_id=batch.source_id,
                incarnation=batch.incarnation,
                durable_sequence=reached[life],
                replayed=replayed,
            )
        )
    return news, tuple(receipts)


def _check_next(batch: UsageBatch, durable: int) -> None:
    if durable and batch.sequence != durable + 1:
        raise SequenceGap(
            f"{batch.source_id} life {batch.incarnation} sent batch {batch.sequence} after {durable}",
            expected=durable + 1,
            remedy=f"resend from {durable + 1}",
        )
