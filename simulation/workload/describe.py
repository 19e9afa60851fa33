"""Describes a trace: the figures that decide whether a fleet can be planned from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from heliostat.model.names import Tier
from simulation.workload.figures import (
    SeriesFigures,
    autocorrelation,
    hourly_means,
    series_figures,
    weekday_peak_to_trough,
)
from simulation.workload.lengths import LengthHistogram
from simulation.workload.load import LoadedTrace
from simulation.workload.published import TOKEN_LEVELS
from simulation.workload.series import LoadSeries, mean_lengths, model_in, tier_in, total_of

_INTERACTIVE = (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL)
ROLL_UPS = ("_total", "_observed")
"""Last part of the names under which our series files keep sums of other series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthFigures:
    """Tokens per request: the exact mean, and quantiles (level, tokens) within one per cent."""

    mean: float
    quantiles: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """One model of a trace: all its series together, and the lengths of its requests.

    The burstiness of the interactive tiers and of batch work is None where series do not name them.
    """

    model: str
    total: SeriesFigures
    interactive_burstiness: tuple[tuple[float, float], ...] | None
    batch_burstiness: tuple[tuple[float, float], ...] | None
    prompt: LengthFigures | None
    output: LengthFigures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFigures:
    """The day of the interactive tiers of all models together."""

    weekday_peak_to_trough: float | None
    autocorrelation_day: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFigures:
    """What `trace describe` says of a file.

    `total` is None for lengths without arrivals, `interactive` where series do not name their tiers.
    Lengths are None where rows are bins or the column was never measured. `series` come largest first,
    without roll-ups, and so do `models`.
    """

    path: str
    format: str
    rows_kept: int
    rows_bad: int
    total: SeriesFigures | None
    interactive: CycleFigures | None
    series: tuple[SeriesFigures, ...]
    models: tuple[ModelFigures, ...]
    prompt: LengthFigures | None
    output: LengthFigures | None
    notes: tuple[str, ...]


def describe(trace: LoadedTrace) -> TraceFigures:
    """The figures of a loaded trace."""
    cut_off = not trace.whole
    notes = list(trace.said)
    singles, left_out = without_roll_ups(trace.series)
    if left_out:
        notes.append(f"{', '.join(left_out)} are sums of the others and are not counted again.")
    total = _total(singles, cut_off=cut_off) if singles else None
    if total and total.missing_bins:
        notes.append(f"{total.missing_bins:,} bins lack a series; they are missing from the total.")
    each = [series_figures(one, cut_off=cut_off) for one in singles]
    each.sort(key=lambda figures: (-_order(figures), figures.series_id))
    lengths = trace.lengths
    return TraceFigures(
        path=str(trace.path),
        format=str(trace.format),
        rows_kept=trace.kept,
        rows_bad=trace.bad,
        total=total,
        interactive=_cycles(singles),
        series=tuple(each),
        models=_models(trace, singles, cut_off=cut_off),
        prompt=_length_figures(lengths.prompt) if lengths else None,
        output=_length_figures(lengths.output) if lengths else None,
        notes=tuple(notes),
    )


def _models(
    trace: LoadedTrace, singles: Sequence[LoadSeries], *, cut_off: bool
) -> tuple[ModelFigures, ...]:
    by_model: dict[str, list[LoadSeries]] = {}
    for one in singles:
        by_model.setdefault(model_in(one.series_id), []).append(one)
    found = []
    for name, own in by_model.items():
        lengths = trace.model_lengths.get(name)
        found.append(
            ModelFigures(
                model=name,
                total=replace(_total(own, cut_off=cut_off), series_id=name),
                interactive_burstiness=_burstiness(own, _INTERACTIVE, cut_off=cut_off),
                batch_burstiness=_burstiness(own, (Tier.BATCH,), cut_off=cut_off),
                prompt=_length_figures(lengths.prompt) if lengths else None,
                output=_length_figures(lengths.output) if lengths else None,
            )
        )
    return tuple(sorted(found, key=lambda one: (-_order(one.total), one.model)))


def _cycles(singles: Sequence[LoadSeries]) -> CycleFigures | None:
    own = [one for one in singles if tier_in(one.series_id) in _INTERACTIVE]
    if not own:
        return None
    together = total_of("interactive", own)
    return CycleFigures(
        weekday_peak_to_trough=weekday_peak_to_trough(together),
        autocorrelation_day=autocorrelation(hourly_means(together.volume, together.step), 24),
    )


def _burstiness(
    series: Sequence[LoadSeries], tiers: Sequence[str], *, cut_off: bool
) -> tuple[tuple[float, float], ...] | None:
    own = [one for one in series if tier_in(one.series_id) in tiers]
    return series_figures(total_of("tiers", own), cut_off=cut_off).burstiness if own else None


def _total(singles: Sequence[LoadSeries], *, cut_off: bool) -> SeriesFigures:
    figures = series_figures(total_of("all", singles), cut_off=cut_off)
    prompt, output = mean_lengths(singles)  # over those that measured, where others did not
    return replace(figures, mean_input_tokens=prompt, mean_output_tokens=output)


def without_roll_ups(series: Sequence[LoadSeries]) -> tuple[list[LoadSeries], list[str]]:
    """The series that are no sums of others, and the names of those that are.

    A sum counts as one only where the file also holds something to add up.
    """
    sums = [one.series_id for one in series if one.series_id.split("/")[-1] in ROLL_UPS]
    singles = [one for one in series if one.series_id not in sums]
    return (singles, sums) if singles else (list(series), [])


def _order(figures: SeriesFigures) -> float:
    return figures.mean_per_second if figures.mean_per_second == figures.mean_per_second else -1.0


def _length_figures(histogram: LengthHistogram) -> LengthFigures | None:
    mean = histogram.mean
    if mean is None:
        return None
    found = tuple((level, histogram.quantile(level) or 0.0) for level in TOKEN_LEVELS)
    return LengthFigures(mean=mean, quantiles=found)
