"""Laws from iteration times of whole engines: what they teach, fitted, with errors and range."""

from __future__ import annotations

import numpy as np

from simulation.profiles.law import FittedLaw, LawKind, LawRange
from simulation.profiles.least_squares import fit_decode, fit_prefill
from simulation.profiles.selection import DecodePoint, Lessons, PrefillPoint

LICENCES = {"splitwise-sim": "MIT", "sageserve": "MIT", "vidur": "MIT"}
"""Of the public profiles that our own laws come from; anything else is the reader's own."""
_FLAT = 1e-12


def measured_law(learnt: Lessons) -> tuple[FittedLaw | None, str]:
    """The law of one model on so many GPUs, or None with the reason."""
    if not learnt.prefill or not learnt.decode:
        return None, "no usable rows"
    tokens, prefills = _prefill_columns(learnt.prefill)
    batch, context, iterations = _decode_columns(learnt.decode)
    prefill = fit_prefill(tokens, prefills, sum(point.rows for point in learnt.prefill))
    decode = fit_decode(batch, context, iterations, sum(point.rows for point in learnt.decode))
    if prefill is None:
        return (
            None,
            f"{len(learnt.prefill)} usable prefill settings are not enough to determine a and b",
        )
    if decode is None:
        return (
            None,
            f"{len(learnt.decode)} usable decode settings are not enough to determine d0, d1 and d2",
        )
    notes = list(learnt.notes)
    for name, value in zip(("d1", "d2"), decode.coefficients[1:], strict=True):
        if value < _FLAT:
            notes.append(f"the measurements do not determine {name}: do not extrapolate")
    return (
        FittedLaw(
            key=learnt.key,
            kind=LawKind.MEASURED,
            source=" and ".join(learnt.sources),
            licence=licence_of(learnt.sources),
            prefill=prefill,
            decode=decode,
            range=LawRange(
                prefill_tokens=(int(tokens.min()), int(tokens.max())),
                most_batch=int(batch.max()),
                most_context_tokens=int(context.max()),
                most_batch_tokens=int((batch * context).max()),
            ),
            notes=tuple(notes),
        ),
        "",
    )


def licence_of(sources: tuple[str, ...]) -> str:
    """The licences of public sources; "not stated" for others."""
    return " and ".join(sorted({LICENCES.get(s.split("@")[0], "not stated") for s in sources}))


def _prefill_columns(points: tuple[PrefillPoint, ...]) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.array([point.tokens for point in points], dtype=np.float64),
        np.array([point.seconds for point in points], dtype=np.float64),
    )


def _decode_columns(points: tuple[DecodePoint, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([point.batch for point in points], dtype=np.float64),
        np.array([point.context_tokens for point in points], dtype=np.float64),
        np.array([point.seconds for point in points], dtype=np.float64),
    )
