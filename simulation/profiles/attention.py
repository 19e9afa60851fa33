"""Attention of one layer: measured for one model on one set of GPUs, scaled to others.

Decoding reads the KV cache, so it grows with KV bytes per layer and GPU over memory bandwidth;
prefilling computes, so with query heads × head size per GPU over the dense rate. The floor of the
kernels stays what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulation.columns import Floats
from simulation.profiles.hardware import VALUE_BYTES, Architecture, Gpu, architecture, gpu
from simulation.profiles.rows import AttentionRow, ProfileKey


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attention:
    """One layer's attention as measured: decoding at (batch, context) and prefilling whole prompts."""

    key: ProfileKey
    batch: Floats
    context: Floats
    decode_seconds: Floats
    prompt: Floats
    prefill_seconds: Floats


def attention_table(rows: Sequence[AttentionRow]) -> Attention | None:
    """The attention of the first model in the rows; None without rows. Later chunks are not used."""
    if not rows:
        return None
    own = [row for row in rows if row.key == rows[0].key]
    decode = [row for row in own if not row.is_prefill]
    prefill = [row for row in own if row.is_prefill and row.context_tokens == 0]
    return Attention(
        key=rows[0].key,
        batch=np.array([row.batch for row in decode], dtype=np.float64),
        context=np.array([row.context_tokens for row in decode], dtype=np.float64),
        decode_seconds=np.array([row.seconds_per_layer for row in decode]),
        prompt=np.array([row.chunk_tokens for row in prefill], dtype=np.float64),
        prefill_seconds=np.array([row.seconds_per_layer for row in prefill]),
    )


def attention_scales(
    measured: ProfileKey, model: Architecture, device: Gpu, tensor_parallel: int
) -> tuple[float, float] | None:
    """How much longer this model's attention reads (decoding) and computes (prefills) than the
    measured one's; None when we do not know the measured one's dimensions."""
    known, its_device = architecture(measured.model), gpu(measured.gpu)
    if known is None or its_device is None:
        return None
    reads = (_kv_per_gpu(model, tensor_parallel) / device.bytes_per_second) / (
        _kv_per_gpu(known, measured.tensor_parallel) / its_device.bytes_per_second
    )
    computes = (model.query_heads * model.head_dim / tensor_parallel / device.flops) / (
        known.query_heads * known.head_dim / measured.tensor_parallel / its_device.flops
    )
    return reads, computes


def _kv_per_gpu(model: Architecture, tensor_parallel: int) -> float:
    """KV bytes per token and layer on each GPU; a head is never split."""
    return max(1.0, model.kv_heads / tensor_parallel) * model.head_dim * 2 * VALUE_BYTES


def scaled(seconds: Floats, scale: float) -> Floats:
    """Times whose part above the floor is scaled."""
    floor = float(seconds.min(initial=np.inf))
    scaled: Floats = floor + (seconds - floor) * scale
    return scaled
