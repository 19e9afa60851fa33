"""Reads a folder or file of profile tables: which table each file is, its rows, and what was left unread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from heliostat.errors import InvalidProfile
from simulation.profiles.rows import (
    AllReduceRow,
    AttentionRow,
    IterationRow,
    LinearRow,
    TableKind,
)
from simulation.profiles.table import Line, header, lines

_Row = TypeVar("_Row")
_MILLISECOND = 1e-3

COLUMNS: Mapping[TableKind, tuple[str, ...]] = {
    TableKind.ITERATIONS: (
        "source", "model", "gpu", "tensor_parallel", "prompt_tokens", "batch_size", "token_count",
        "prefill_time_s", "decode_iteration_time_s",
    ),
    TableKind.LINEAR_OPERATORS: (
        "source", "model", "gpu", "tensor_parallel", "batch_tokens", "linear_ops_ms_per_layer",
        "num_layers",
    ),
    TableKind.ATTENTION: (
        "source", "model", "gpu", "tensor_parallel", "is_prefill", "batch_size",
        "prefill_chunk_size", "kv_cache_size", "attention_ms_per_layer",
    ),
    TableKind.ALL_REDUCE: (
        "network", "num_workers", "devices_per_node", "size_bytes", "all_reduce_ms",
    ),
    TableKind.CONTEXT_SHAPE: ("iteration_bucket_start", "decode_iteration_time_s_p50"),
}  # fmt: skip
"""The columns that each table must have; `e2e_time_s`, `quality_flag` and `n_runs` are read where present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """A file, which table it was taken for (None = none), and what came of it."""

    name: str
    kind: TableKind | None
    rows: int = 0
    bad: int = 0
    note: str = ""


@dataclass(slots=True, kw_only=True)
class Profiles:
    """Everything read so far."""

    iterations: list[IterationRow] = field(default_factory=list)
    linear: list[LinearRow] = field(default_factory=list)
    attention: list[AttentionRow] = field(default_factory=list)
    all_reduce: list[AllReduceRow] = field(default_factory=list)
    files: list[ReadFile] = field(default_factory=list)


def read_profiles(path: Path, *, skip_bad_rows: bool = False) -> Profiles:
    """The tables in a folder (its CSV files) or in one file.

    Where a folder holds single runs, files of medians over runs are left unread. Raises
    InvalidProfile when nothing can be read, a file is no table that we know (in a folder it is
    left unread), or a row is wrong; `skip_bad_rows` counts such rows instead.
    """
    if not path.exists():
        raise InvalidProfile(str(path), "does not exist")
    alone = path.is_file()
    files = [path] if alone else sorted(path.glob("*.csv"))
    kinds = {file: kind_of(file) for file in files}
    has_runs = any(
        kind is TableKind.ITERATIONS and "n_runs" not in header(file)
        for file, kind in kinds.items()
    )
    found = Profiles()
    for file, kind in kinds.items():
        if kind is None and alone:
            wanted = "; ".join(", ".join(columns) for columns in COLUMNS.values())
            raise InvalidProfile(
                file.name, f"is not a known table; known tables have the columns {wanted}"
            )
        medians = kind is TableKind.ITERATIONS and has_runs and "n_runs" in header(file)
        if kind is None:
            found.files.append(ReadFile(name=file.name, kind=None, note="not a known table"))
        elif medians:
            note = "medians of runs that are read individually"
            found.files.append(ReadFile(name=file.name, kind=kind, note=note))
        else:
            _read(file, kind, found, skip_bad_rows)
    if not found.files:
        raise InvalidProfile(str(path), "contains no CSV file")
    return found


def kind_of(path: Path) -> TableKind | None:
    """Which table a file is, by its columns; None when it is none of ours. Raises InvalidProfile."""
    names = set(header(path))
    return next((kind for kind, columns in COLUMNS.items() if names.issuperset(columns)), None)


def _read(path: Path, kind: TableKind, found: Profiles, skip_bad_rows: bool) -> None:
    if kind is TableKind.ITERATIONS:
        rows, bad = _all(path, iteration_row, found.iterations, skip_bad_rows)
    elif kind is TableKind.LINEAR_OPERATORS:
        rows, bad = _all(path, linear_row, found.linear, skip_bad_rows)
    elif kind is TableKind.ATTENTION:
        rows, bad = _all(path, attention_row, found.attention, skip_bad_rows)
    elif kind is TableKind.ALL_REDUCE:
        rows, bad = _all(path, all_reduce_row, found.all_reduce, skip_bad_rows)
    else:
        note = "names neither model nor GPU, so no law can be fitted"
        found.files.append(ReadFile(name=path.name, kind=kind, note=note))
        return
    found.files.append(ReadFile(name=path.name, kind=kind, rows=rows, bad=bad))


def _all(
    path: Path, parse: Callable[[Line], _Row], into: list[_Row], skip_bad_rows: bool
) -> tuple[int, int]:
    good = bad = 0
    for line in lines(path):
        try:
            if isinstance(line, InvalidProfile):
                raise line
            into.append(parse(line))
            good += 1
        except InvalidProfile:
            if not skip_bad_rows:
                raise
            bad += 1
    if not good:
        raise InvalidProfile(path.name, "contains no usable row")
    return good, bad


def iteration_row(line: Line) -> IterationRow:
    """A line of an iteration table."""
    has = line.fields.get
    return IterationRow(
        place=line.place,
        source=line.name("source"),
        key=line.key(),
        prompt_tokens=line.whole("prompt_tokens"),
        batch=line.whole("batch_size"),
        token_count=line.whole("token_count", least=2),
        prefill_seconds=line.seconds("prefill_time_s"),
        decode_seconds=line.seconds("decode_iteration_time_s"),
        e2e_seconds=line.seconds("e2e_time_s") if has("e2e_time_s", "").strip() else None,
        flag=has("quality_flag", "").strip(),
        runs=line.whole("n_runs") if has("n_runs", "").strip() else 1,
    )


def linear_row(line: Line) -> LinearRow:
    """A line of a table of linear operators."""
    return LinearRow(
        source=line.name("source"),
        key=line.key(),
        layers=line.whole("num_layers"),
        batch_tokens=line.whole("batch_tokens"),
        seconds_per_layer=line.seconds("linear_ops_ms_per_layer", per_unit=_MILLISECOND),
    )


def attention_row(line: Line) -> AttentionRow:
    """A line of an attention table."""
    return AttentionRow(
        source=line.name("source"),
        key=line.key(),
        is_prefill=line.truth("is_prefill"),
        batch=line.whole("batch_size"),
        chunk_tokens=line.whole("prefill_chunk_size", least=0),
        context_tokens=line.whole("kv_cache_size", least=0),
        seconds_per_layer=line.seconds("attention_ms_per_layer", per_unit=_MILLISECOND),
    )


def all_reduce_row(line: Line) -> AllReduceRow:
    """A line of an all-reduce table."""
    return AllReduceRow(
        network=line.name("network"),
        workers=line.whole("num_workers"),
        per_node=line.whole("devices_per_node"),
        size_bytes=line.whole("size_bytes"),
        seconds=line.seconds("all_reduce_ms", per_unit=_MILLISECOND),
    )
