"""Record layouts: one record per replica, one seat per request booked on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduling.laws.law import WorkerLaw

Records = NDArray[Any]


def _record(*groups: tuple[str, str]) -> np.dtype[Any]:
    columns = [(name, kind) for kind, names in groups for name in names.split()]
    return np.dtype(columns, align=True)


WORKER = _record(
    # Its law: seconds (per prompt token, sequence, token of context); `error` is relative.
    ("f8", "prefill_floor prefill_base prefill_per_token prefill_beyond_knee"),
    ("f8", "decode_base decode_per_sequence decode_per_token error"),
    # When the prefills booked so far will be done; their seconds in all, which stall who decodes.
    ("f8", "prefill_free_at stalled_seconds"),
    # The least that a booked request can still be stalled without breaking its promise.
    ("f8", "stall_slack_seconds"),
    # When its engine last reported.
    ("f8", "seen_at"),
    # Memory in tokens: it has, a sequence takes beside its tokens; the law's largest batch.
    ("i8", "kv_capacity_tokens kv_tokens_per_sequence max_batch"),
    # Booked requests: that decode, that have no first token yet; prompt tokens of the latter.
    ("i8", "running waiting waiting_prefill_tokens"),
    # Tokens in KV now (prompts that were prefilled, progress as reported), at every booked request's
    # predicted end, and of context at its predicted mean.
    ("i8", "kv_now_tokens kv_peak_tokens context_tokens"),
    # Σ (actual or re-estimated − predicted output tokens) since errors were last settled.
    ("i8", "length_error_tokens"),
    # What its engine last reported, and what of that was not booked here: other dispatchers' work, or
    # our own from before a restart.
    ("i8", "seen_running seen_waiting seen_kv_tokens unbooked_sequences unbooked_kv_tokens"),
    # May it take requests? Is what we know of it fresh?
    ("u1", "accepting fresh"),
)

SEAT = _record(
    # The promised mean gap; how many gaps its predicted output has; stalls before it began; when
    # it began to decode, or is expected to.
    ("f8", "itl_seconds gaps stalled_before begins"),
)

ASKED = _record(
    # What a request asks for, in tokens: its prompt, KV at its predicted end, context at its mean.
    ("i8", "input peak context rows"),
    # How long it has waited, and what it was promised, in seconds; the margins.
    ("f8", "waited ttft gap margin memory_share foresight"),
    ("f8", "spread_beyond"),
)


def write_law(worker: Any, law: WorkerLaw) -> None:
    """Let a record be judged by that law."""
    worker["prefill_floor"] = law.prefill_floor
    worker["prefill_base"] = law.prefill_base
    worker["prefill_per_token"] = law.prefill_per_token
    worker["prefill_beyond_knee"] = law.prefill_per_token_beyond_knee
    worker["decode_base"] = law.decode_base
    worker["decode_per_sequence"] = law.decode_per_sequence
    worker["decode_per_token"] = law.decode_per_token
    worker["error"] = law.error
    worker["kv_capacity_tokens"] = law.kv_tokens
    worker["kv_tokens_per_sequence"] = law.kv_tokens_per_sequence
    worker["max_batch"] = law.max_batch


def empty(dtype: np.dtype[Any], *shape: int) -> Records:
    """Records of nothing."""
    return np.zeros(shape, dtype=dtype)


def grown(records: Records, *shape: int) -> Records:
    """The same records in a larger place."""
    larger = np.zeros(shape, dtype=records.dtype)
    larger[tuple(slice(0, size) for size in records.shape)] = records
    return larger
