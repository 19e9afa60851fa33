"""Laws from operator tables, for models without iteration times; and how they agree with measured ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.profiles.hardware import RESERVED_SHARE, kv_bytes_available, require
from simulation.profiles.law import FittedLaw, LawKind, LawRange
from simulation.profiles.least_squares import fit_decode, fit_prefill
from simulation.profiles.measured import licence_of
from simulation.profiles.operators import Operators, Sums
from simulation.profiles.rows import ProfileKey
from simulation.profiles.selection import Lessons

_CONTEXT = 576.0
"""Mean context of the public profiles' batch sweep: 512 prompt tokens and half of 128 generated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One sequence's decode iteration measured and composed, in seconds, and the mean of
    composed ÷ measured − 1 over all measured settings inside the operator tables."""

    key: ProfileKey
    measured_seconds: float
    composed_seconds: float
    decode_difference: float
    decode_settings: int
    prefill_difference: float
    prefill_settings: int


def composed_law(
    key: ProfileKey, operators: Operators, sources: tuple[str, ...]
) -> tuple[FittedLaw | None, str]:
    """The law of that model on those GPUs, or None with the reason."""
    sums, why = operators.sums(key)
    if sums is None:
        return None, why
    model, device = require(key.model, key.gpu)
    if kv_bytes_available(model, device, key.tensor_parallel) < model.kv_bytes_per_token:
        return None, f"the weights do not fit beside a reserve of {RESERVED_SHARE:.0%}"
    prefill = fit_prefill(sums.prompt, sums.prefill_seconds, len(sums.prompt))
    decode = fit_decode(sums.batch, sums.context, sums.decode_seconds, len(sums.batch))
    if prefill is None or decode is None:
        return None, "the operator tables have too few settings"
    return (
        FittedLaw(
            key=key,
            kind=LawKind.SCALED if sums.donor else LawKind.COMPOSED,
            source=" and ".join(sources),
            licence=licence_of(sources),
            prefill=prefill,
            decode=decode,
            range=LawRange(
                prefill_tokens=(int(sums.prompt.min()), int(sums.prompt.max())),
                most_batch=int(sums.batch.max()),
                most_context_tokens=int(sums.context.max()),
                most_batch_tokens=int((sums.batch * sums.context).max()),
            ),
            notes=(f"layers scaled from {sums.donor} by parameters",) if sums.donor else (),
        ),
        "",
    )


def agreement(learnt: Lessons, operators: Operators) -> Agreement | None:
    """How sums of operators compare with what was measured of whole iterations; None without both."""
    sums, _ = operators.sums(learnt.key)
    if sums is None or sums.donor:
        return None
    batches = set(sums.batch.tolist())
    decodes = [
        (_decode_at(sums, point.batch, point.context_tokens), point.seconds)
        for point in learnt.decode
        if point.batch in batches and point.context_tokens <= sums.context.max()
    ]
    prefills = [
        (float(np.interp(point.tokens, sums.prompt, sums.prefill_seconds)), point.seconds)
        for point in learnt.prefill
        if sums.prompt.min() <= point.tokens <= sums.prompt.max()
    ]
    alone = [
        point.seconds
        for point in learnt.decode
        if point.batch == 1 and 1 in batches and abs(point.context_tokens - _CONTEXT) < 1
    ]
    if not decodes or not prefills or not alone:
        return None
    return Agreement(
        key=learnt.key,
        measured_seconds=alone[0],
        composed_seconds=_decode_at(sums, 1, _CONTEXT),
        decode_difference=_mean_difference(decodes),
        decode_settings=len(decodes),
        prefill_difference=_mean_difference(prefills),
        prefill_settings=len(prefills),
    )


def _decode_at(sums: Sums, batch: float, context: float) -> float:
    """The sum at a batch size of the table, between contexts by interpolation."""
    there = sums.batch == batch
    order = np.argsort(sums.context[there])
    return float(np.interp(context, sums.context[there][order], sums.decode_seconds[there][order]))


def _mean_difference(pairs: list[tuple[float, float]]) -> float:
    return float(np.mean([composed / measured - 1 for composed, measured in pairs]))
