"""The laws that ship with the project: what scenario catalogues take their engines from, without any data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from heliostat.errors import UnknownEngineLaw
from heliostat.model.engine import EngineLaw
from simulation.profiles.hardware import gpu_name, model_name
from simulation.profiles.law import FittedLaw, LawKind
from simulation.profiles.laws_file import read_laws

FILE = Path(__file__).with_name("laws.yaml")
_MOST_TRUSTED_FIRST = (LawKind.MEASURED, LawKind.COMPOSED, LawKind.SCALED)


@cache
def shipped_laws() -> tuple[FittedLaw, ...]:
    """All of them, by model, GPU, number of GPUs and kind."""
    return read_laws(FILE)


def fitted_law(
    model: str, gpu: str, tensor_parallel: int, *, kind: LawKind | None = None
) -> FittedLaw:
    """The law of a model on so many GPUs with its errors and range: the most trusted kind, or `kind`.

    `label` says whether it extrapolates. Raises UnknownEngineLaw, naming what there is of the model.
    """
    name, device = model_name(model), gpu_name(gpu)
    of_model = [law for law in shipped_laws() if law.key.model == name]
    wanted = (kind,) if kind else _MOST_TRUSTED_FIRST
    for one in wanted:
        for law in of_model:
            if (law.key.gpu, law.key.tensor_parallel, law.kind) == (device, tensor_parallel, one):
                return law
    there = ", ".join(f"{law.key.tensor_parallel} × {law.key.gpu} ({law.kind})" for law in of_model)
    what = f"{model} on {tensor_parallel} × {gpu}" + (f" ({kind})" if kind else "")
    raise UnknownEngineLaw(what, remedy=f"there are laws of {name} on {there or 'no GPU'}")


def engine_law(
    model: str,
    gpu: str,
    tensor_parallel: int,
    *,
    kind: LawKind | None = None,
    max_batch: int | None = None,
) -> EngineLaw:
    """The same as engines and planners take it, with the KV cache that the GPUs leave beside the weights.

    `max_batch` is the engine's own limit, by default the largest batch measured; larger ones extrapolate
    (`fitted_batch` says from where on). Raises UnknownEngineLaw.
    """
    return fitted_law(model, gpu, tensor_parallel, kind=kind).engine(max_batch=max_batch)
