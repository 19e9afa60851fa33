"""Which iteration rows teach what: medians of repeated runs, without those that are known to mislead.

What the flags of the public profiles mean, and what is done about each:

- *stopped early* (fewer tokens than asked for): iteration times stand; the context is that of the
  tokens which the end-to-end time says were generated.
- *eager fallback beyond 8k context*: the prefill stands, the iterations are left out.
- *prefill of the first sequence only*: the prefill is left out. The iterations hold the other
  prompts' prefills, which are taken off at what such a prompt takes alone.
- *derived* (power-capped: a multiple of other rows): left out. So is a flag that we do not know.
- Without a flag: an end-to-end time well above prefill + iterations means that sequences waited or
  were preempted for memory (Llama2-70B on two GPUs from batch 32 on): left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median

from simulation.profiles.rows import IterationRow, ProfileKey

TOO_LONG = 1.05
"""End-to-end ÷ (prefill + iterations) above which a batch did not run as one."""

_STOPPED_EARLY = "e2e_shorter_than_token_count"
_EAGER = "suspected_eager_fallback"
_FIRST_ONLY = "prefill_of_first_sequence_only"
_DERIVED = "pcap"
_MENDED = {
    _FIRST_ONLY: "iterations of batches without the other prompts' prefills",
    _STOPPED_EARLY: "contexts of runs that stopped early, from their end-to-end time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillPoint:
    """A prefill over `tokens` of all its prompts; `rows` measurements behind the median."""

    tokens: int
    seconds: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodePoint:
    """A decode iteration at a batch and its mean context."""

    batch: int
    context_tokens: float
    seconds: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What one key's rows teach. `left_out` counts rows by what they were left out of and why; `notes` says
    what was mended."""

    key: ProfileKey
    sources: tuple[str, ...]
    prefill: tuple[PrefillPoint, ...]
    decode: tuple[DecodePoint, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...]


def lessons(rows: Iterable[IterationRow]) -> tuple[Lessons, ...]:
    """What the rows teach about each model on each set of GPUs, by key."""
    by_key: dict[ProfileKey, list[IterationRow]] = {}
    for row in medians(rows):
        by_key.setdefault(row.key, []).append(row)
    return tuple(_of_one(key, by_key[key]) for key in sorted(by_key))


def medians(rows: Iterable[IterationRow]) -> list[IterationRow]:
    """One row per setting: the medians of its runs."""
    runs: dict[object, list[IterationRow]] = {}
    for row in rows:
        runs.setdefault(row.setting, []).append(row)
    return [_median(group) for group in runs.values()]


def _median(group: list[IterationRow]) -> IterationRow:
    ends = [row.e2e_seconds for row in group if row.e2e_seconds is not None]
    return replace(
        group[0],
        prefill_seconds=median(row.prefill_seconds for row in group),
        decode_seconds=median(row.decode_seconds for row in group),
        e2e_seconds=median(ends) if ends else None,
        runs=sum(row.runs for row in group),
    )


def _of_one(key: ProfileKey, rows: list[IterationRow]) -> Lessons:
    alone = {row.prompt_tokens: row.prefill_seconds for row in rows if row.batch == 1}
    prefill: list[PrefillPoint] = []
    decode: list[DecodePoint] = []
    out: Counter[str] = Counter()
    mended: Counter[str] = Counter()
    for row in rows:
        no_prefill, no_decode = _complaints(row, alone)
        if no_prefill:
            out[f"prefill: {no_prefill}"] += row.runs
        else:
            tokens = row.prompt_tokens * row.batch
            prefill.append(PrefillPoint(tokens=tokens, seconds=row.prefill_seconds, rows=row.runs))
        if no_decode:
            out[f"decode: {no_decode}"] += row.runs
            continue
        decode.append(_decode_point(row, alone))
        for flag, what in _MENDED.items():
            if row.flag.startswith(flag):
                mended[what] += row.runs
    return Lessons(
        key=key,
        sources=tuple(sorted({row.source for row in rows})),
        prefill=tuple(prefill),
        decode=tuple(decode),
        left_out=dict(out),
        notes=tuple(f"{what}: {count} rows" for what, count in mended.items()),
    )


def _decode_point(row: IterationRow, alone: Mapping[int, float]) -> DecodePoint:
    others = _other_prefills(row, alone) if row.flag.startswith(_FIRST_ONLY) else 0.0
    return DecodePoint(
        batch=row.batch,
        context_tokens=row.prompt_tokens + _generated(row) / 2,
        seconds=row.decode_seconds - others,
        rows=row.runs,
    )


def _complaints(row: IterationRow, alone: Mapping[int, float]) -> tuple[str, str]:
    """Why the row says nothing about prefills and about iterations; "" = it does."""
    flag = row.flag
    if flag.startswith(_DERIVED):
        return ("derived from other rows, not measured",) * 2
    if flag.startswith(_EAGER):
        return "", "suspected fallback to eager kernels beyond 8,192 tokens of context"
    if flag.startswith(_FIRST_ONLY):
        mendable = _other_prefills(row, alone) < row.decode_seconds
        no_decode = "" if mendable else "iterations hold the other prompts' prefills"
        return "covers the first sequence of the batch only", no_decode
    if flag and not flag.startswith(_STOPPED_EARLY):
        return (f"flagged {flag}",) * 2
    if row.e2e_seconds is not None and row.e2e_seconds > TOO_LONG * _expected_seconds(row):
        return (
            "end-to-end is longer than prefill and iterations: the batch did not run as one",
        ) * 2
    return "", ""


def _expected_seconds(row: IterationRow) -> float:
    return row.prefill_seconds + (row.token_count - 1) * row.decode_seconds


def _other_prefills(row: IterationRow, alone: Mapping[int, float]) -> float:
    """Seconds of the other prompts' prefills in each iteration; inf where none was measured alone."""
    one = alone.get(row.prompt_tokens, math.inf)
    return (row.batch - 1) * one / (row.token_count - 1)


def _generated(row: IterationRow) -> float:
    """Tokens of one sequence, as far as the end-to-end time allows."""
    if row.e2e_seconds is None or row.flag.startswith((_FIRST_ONLY, _EAGER)):
        return row.token_count
    fitting = 1 + (row.e2e_seconds - row.prefill_seconds) / row.decode_seconds
    return min(float(row.token_count), max(1.0, fitting))
