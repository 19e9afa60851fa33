"""Sets what was found in a trace beside what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from simulation.workload.describe import LengthFigures, TraceFigures
from simulation.workload.figures import SeriesFigures
from simulation.workload.target import TargetFigures, TargetSpec, level_name

_BY_NAME = (
    "mean_per_second",
    "peak_per_second",
    "trough_per_second",
    "peak_to_trough",
    "autocorrelation_day",
    "autocorrelation_week",
)
_Quantiles = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One figure of a model ("" = of the whole trace); `found` is None where the trace cannot tell.

    `level` names the quantile (`p99`, `max`) of a distribution or the end (`from`, `to`) of what is
    wanted, and is "" for a plain figure.
    """

    model: str
    figure: str
    level: str = ""
    found: float | None
    wanted: float

    @property
    def ratio(self) -> float | None:
        """Found ÷ wanted."""
        return None if self.found is None or not self.wanted else self.found / self.wanted


def beside(figures: TraceFigures, target: TargetSpec) -> tuple[Beside, ...]:
    """Every figure that the target names, first of the whole trace, then model by model.

    Quantiles between the levels that were found are not told.
    """
    found = list(_compared("", target, figures.total, figures.prompt, figures.output))
    cycles = figures.interactive
    for name, extent, told_cycle in (
        ("peak to trough", target.interactive_peak_to_trough, "weekday_peak_to_trough"),
        ("autocorrelation day", target.interactive_autocorrelation_day, "autocorrelation_day"),
    ):
        for level, bound in zip(("from", "to"), extent or (), strict=False):
            seen = None if cycles is None else getattr(cycles, told_cycle)
            found.append(
                Beside(
                    model="", figure=f"interactive {name}", level=level, found=seen, wanted=bound
                )
            )
    models = {one.model: one for one in figures.models}
    for name, wanted in target.models.items():
        one = models.get(name)
        told = (one.total, one.prompt, one.output) if one else (None, None, None)
        found += _compared(name, wanted, *told)
        for kind in ("interactive_burstiness", "batch_burstiness"):
            burst = getattr(one, kind) if one else None
            found += _quantiles(name, kind.replace("_", " "), getattr(wanted, kind), burst)
    return tuple(found)


def _compared(
    model: str,
    target: TargetFigures,
    total: SeriesFigures | None,
    prompt: LengthFigures | None,
    output: LengthFigures | None,
) -> Iterator[Beside]:
    for name in _BY_NAME:
        wanted = getattr(target, name)
        if wanted is not None:
            told = None if total is None else getattr(total, name)
            yield Beside(model=model, figure=name.replace("_", " "), found=told, wanted=wanted)
    burst = None if total is None else total.burstiness
    yield from _quantiles(model, "burstiness", target.burstiness, burst)
    for name, wanted, lengths in (
        ("prompt tokens", target.prompt_tokens, prompt),
        ("output tokens", target.output_tokens, output),
    ):
        yield from _quantiles(model, name, wanted, lengths.quantiles if lengths else None)


def _quantiles(
    model: str, name: str, wanted: Mapping[float, float] | None, found: _Quantiles | None
) -> Iterator[Beside]:
    told = dict(found or ())
    for level, value in sorted((wanted or {}).items()):
        yield Beside(
            model=model,
            figure=name,
            level=level_name(level),
            found=told.get(level),
            wanted=value,
        )
