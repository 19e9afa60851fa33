"""Everything that profile tables yield: laws of all three kinds, what has none and why, how kinds agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heliostat.errors import HeliostatError
from simulation.profiles.composed import Agreement, agreement, composed_law
from simulation.profiles.hardware import architectures
from simulation.profiles.law import FittedLaw
from simulation.profiles.laws_file import law_mapping
from simulation.profiles.measured import measured_law
from simulation.profiles.operators import Operators
from simulation.profiles.reading import Profiles, ReadFile
from simulation.profiles.rows import ProfileKey
from simulation.profiles.selection import lessons


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """Laws by key and kind. `without_law` says why a key that was asked for has none; `left_out` counts
    rows by reason."""

    files: tuple[ReadFile, ...]
    laws: tuple[FittedLaw, ...]
    without_law: tuple[tuple[ProfileKey, str], ...]
    left_out: Mapping[ProfileKey, Mapping[str, int]]
    agreements: tuple[Agreement, ...]

    def as_mapping(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `engine` is what the fleet catalogue wants to hear."""
        return {
            "files": [
                {
                    "name": file.name,
                    "table": file.kind and str(file.kind),
                    "rows": file.rows,
                    "rows_bad": file.bad,
                    "note": file.note,
                }
                for file in self.files
            ],
            "laws": [law_mapping(law) | {"engine": _catalogue_entry(law)} for law in self.laws],
            "without_law": [_named(key) | {"reason": why} for key, why in self.without_law],
            "left_out": [
                _named(key) | {"reason": why, "rows": rows}
                for key, reasons in self.left_out.items()
                for why, rows in reasons.items()
            ],
            "agreement": [_compared(one) for one in self.agreements],
        }


def fit_laws(profiles: Profiles) -> FitReport:
    """Fit whatever the tables allow: measured laws, then composed and scaled ones for every model that
    we know on all GPUs with operator times."""
    laws: list[FittedLaw] = []
    without: list[tuple[ProfileKey, str]] = []
    left_out: dict[ProfileKey, Mapping[str, int]] = {}
    agreements: list[Agreement] = []
    operators = Operators(profiles.linear, profiles.attention, profiles.all_reduce)
    for learnt in lessons(profiles.iterations):
        _keep(learnt.key, measured_law(learnt), laws, without)
        if learnt.left_out:
            left_out[learnt.key] = learnt.left_out
        if found := agreement(learnt, operators):
            agreements.append(found)
    sources = tuple(sorted({row.source.split("@")[0] for row in profiles.linear}))
    for key in _wanted(operators):
        _keep(key, composed_law(key, operators, sources), laws, without)
    return FitReport(
        files=tuple(profiles.files),
        laws=tuple(sorted(laws, key=lambda law: (law.key, law.kind))),
        without_law=tuple(without),
        left_out=left_out,
        agreements=tuple(agreements),
    )


def _wanted(operators: Operators) -> list[ProfileKey]:
    """Measured keys, and every model that we know on the same GPUs."""
    places = {(key.gpu, key.tensor_parallel) for key in operators.measured}
    scaled = {
        ProfileKey(model=model.name, gpu=gpu, tensor_parallel=tensor_parallel)
        for model in architectures()
        for gpu, tensor_parallel in places
    }
    return sorted(scaled | set(operators.measured))


def _keep(
    key: ProfileKey,
    found: tuple[FittedLaw | None, str],
    laws: list[FittedLaw],
    without: list[tuple[ProfileKey, str]],
) -> None:
    law, why = found
    if law is None:
        without.append((key, why))
    else:
        laws.append(law)


def _named(key: ProfileKey) -> dict[str, Any]:
    return {"model": key.model, "gpu": key.gpu, "tensor_parallel": key.tensor_parallel}


def _catalogue_entry(law: FittedLaw) -> dict[str, Any] | None:
    """The law as an engine of the fleet catalogue; None for dimensions that we do not know."""
    try:
        engine = law.engine()
    except HeliostatError:
        return None
    plain = law_mapping(law)
    return {
        "prefill_ms": plain["prefill_ms"],
        "decode_ms": plain["decode_ms"],
        "kv_bytes_per_token": engine.kv_bytes_per_token,
        "kv_gb": round(engine.kv_bytes_available / 1e9, 2),
        "max_batch": engine.max_batch,
        "fitted_batch": engine.fitted_batch,
    }


def _compared(one: Agreement) -> dict[str, Any]:
    return _named(one.key) | {
        "decode_ms_one_sequence": {
            "measured": round(1000 * one.measured_seconds, 2),
            "composed": round(1000 * one.composed_seconds, 2),
        },
        "decode_difference": round(one.decode_difference, 4),
        "decode_settings": one.decode_settings,
        "prefill_difference": round(one.prefill_difference, 4),
        "prefill_settings": one.prefill_settings,
    }
