"""Fitted laws as plain mappings and as the YAML file that ships with the project.

Times are milliseconds there, as in the fleet catalogue; errors are shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from heliostat.errors import InvalidInput, InvalidProfile
from simulation.profiles.law import Fit, FittedLaw, LawKind, LawRange
from simulation.profiles.rows import ProfileKey

_DIGITS = 5
_HEADER = """\
# Engine laws fitted from public profiles; written by `heliostat profile fit FOLDER --save FILE`.
#
# prefill_ms = [a, b, c]: a + b·N + c·max(0, N − 2048), N prompt tokens of the prefill.
# decode_ms = [d0, d1, d2]: d0 + d1·B + d2·B·context/1000, B sequences of that mean context.
# `mape` and `worst` are errors relative to the settings that a law was fitted to. `range` is what was
# measured; beyond it the law extrapolates. docs/engine-laws.md explains kinds, sources and errors.
"""


def law_mapping(law: FittedLaw) -> dict[str, Any]:
    """The law as plain values."""
    return {
        "model": law.key.model,
        "gpu": law.key.gpu,
        "tensor_parallel": law.key.tensor_parallel,
        "kind": str(law.kind),
        "source": law.source,
        "licence": law.licence,
        "prefill_ms": _milliseconds(law.prefill),
        "prefill_error": _errors(law.prefill),
        "decode_ms": _milliseconds(law.decode),
        "decode_error": _errors(law.decode),
        "range": {
            "prefill_tokens": list(law.range.prefill_tokens),
            "most_batch": law.range.most_batch,
            "most_context_tokens": law.range.most_context_tokens,
            "most_batch_tokens": law.range.most_batch_tokens,
        },
        "notes": list(law.notes),
    }


def law_of(mapping: Mapping[str, Any]) -> FittedLaw:
    """The law behind `law_mapping`. Raises KeyError, TypeError or ValueError on anything else."""
    spread = mapping["range"]
    least, most = (int(tokens) for tokens in spread["prefill_tokens"])
    return FittedLaw(
        key=ProfileKey(
            model=str(mapping["model"]),
            gpu=str(mapping["gpu"]),
            tensor_parallel=int(mapping["tensor_parallel"]),
        ),
        kind=LawKind(mapping["kind"]),
        source=str(mapping["source"]),
        licence=str(mapping["licence"]),
        prefill=_fit(mapping["prefill_ms"], mapping["prefill_error"]),
        decode=_fit(mapping["decode_ms"], mapping["decode_error"]),
        range=LawRange(
            prefill_tokens=(least, most),
            most_batch=int(spread["most_batch"]),
            most_context_tokens=int(spread["most_context_tokens"]),
            most_batch_tokens=int(spread["most_batch_tokens"]),
        ),
        notes=tuple(str(note) for note in mapping["notes"]),
    )


def write_laws(laws: Iterable[FittedLaw], path: Path) -> None:
    """Write the file, a law a line. Raises InvalidInput when it cannot be written."""
    entries = [
        "- "
        + yaml.safe_dump(law_mapping(law), default_flow_style=True, sort_keys=False, width=10**6)
        for law in laws
    ]
    try:
        path.write_text(_HEADER + "laws:\n" + "".join(entries), "utf-8")
    except OSError as error:
        raise InvalidInput("--save", f"{path} cannot be written: {error.strerror}") from error


def read_laws(path: Path) -> tuple[FittedLaw, ...]:
    """The laws in such a file. Raises InvalidProfile."""
    try:
        return tuple(law_of(entry) for entry in yaml.safe_load(path.read_text("utf-8"))["laws"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise InvalidProfile(str(path), f"is not a file of engine laws: {error}") from error


def _milliseconds(fit: Fit) -> list[float]:
    return [float(f"{1000 * value:.{_DIGITS}g}") for value in fit.coefficients]


def _errors(fit: Fit) -> dict[str, Any]:
    return {
        "mape": round(fit.mape, 4),
        "worst": round(fit.worst, 4),
        "points": fit.points,
        "rows": fit.rows,
    }


def _fit(milliseconds: Any, errors: Mapping[str, Any]) -> Fit:
    a, b, c = (float(value) / 1000 for value in milliseconds)
    return Fit(
        coefficients=(a, b, c),
        mape=float(errors["mape"]),
        worst=float(errors["worst"]),
        points=int(errors["points"]),
        rows=int(errors["rows"]),
    )
