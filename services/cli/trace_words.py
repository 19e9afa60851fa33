"""Shows traces and scenarios as facts and tables."""

from __future__ import annotations

from collections.abc import Sequence

from services.cli.figures import at, count, fraction, percent, rate, span_words
from services.cli.output import Output
from simulation.scenarios.figures import ScenarioFigures
from simulation.workload.beside import Beside
from simulation.workload.describe import LengthFigures, TraceFigures
from simulation.workload.figures import LEAST_BINS_PER_HOUR, SeriesFigures


def show_trace(out: Output, figures: TraceFigures, compared: Sequence[Beside], most: int) -> None:
    """The figures of a trace file, and its target where it has one."""
    head = {"trace": figures.path, "format": figures.format, "rows": f"{figures.rows_kept:,} kept"}
    if figures.rows_bad:
        head["rows"] += f", {figures.rows_bad:,} bad"
    if figures.total:
        head |= _facts(figures.total)
    out.facts(head)
    out.table(
        "Tokens per request",
        ["", "mean>", *[f"p{level * 100:g}>" for level, _ in _levels(figures)]],
        [
            [name, count(found.mean), *[count(value) for _, value in found.quantiles]]
            for name, found in (("prompt", figures.prompt), ("output", figures.output))
            if found
        ],
        empty="Quantiles of lengths need single requests; this file has none.",
    )
    _show_models(out, figures)
    _show_target(out, compared)
    if most and len(figures.series) > 1:
        shown = figures.series[:most]
        out.table(
            f"{len(shown)} of {len(figures.series)} series",
            ["series", "mean/s>", "peak/s>", "day>", "week>", "missing>"],
            [_row(one) for one in shown],
            empty="",
        )
    for note in figures.notes:
        out.say(note)


def _levels(figures: TraceFigures) -> tuple[tuple[float, float], ...]:
    found: LengthFigures | None = figures.prompt or figures.output
    return found.quantiles if found else ()


def _facts(total: SeriesFigures) -> dict[str, str]:
    burst = ", ".join(f"p{level * 100:g} {value:.2f}" for level, value in total.burstiness or ())
    return {
        "start": total.start.strftime("%Y-%m-%dT%H:%M:%SZ") if total.start else "unknown",
        "span": f"{span_words(total.span_seconds)} in bins of {total.bin_seconds:g} s",
        f"{total.unit} per second": f"mean {rate(total.mean_per_second)}, "
        f"peak {rate(total.peak_per_second)}, trough {rate(total.trough_per_second)}",
        "peak ÷ trough": fraction(total.peak_to_trough) if total.peak_to_trough else "–",
        "autocorrelation": f"one day {fraction(total.autocorrelation_day)}, "
        f"one week {fraction(total.autocorrelation_week)}",
        "bin ÷ median of its hour": burst or _no_burstiness(total.bin_seconds),
        "tokens per request": f"{count(total.mean_input_tokens)} in, "
        f"{count(total.mean_output_tokens)} out",
    }


def _no_burstiness(bin_seconds: float) -> str:
    """Why it could not be computed (`simulation.workload.figures.burstiness`)."""
    if 3600 % bin_seconds or 3600 / bin_seconds < LEAST_BINS_PER_HOUR:
        return "– (needs bins of ten minutes or less that divide an hour)"
    return f"– (needs {LEAST_BINS_PER_HOUR} bins with traffic in an hour)"


def _row(one: SeriesFigures) -> list[str]:
    return [
        one.series_id,
        rate(one.mean_per_second),
        rate(one.peak_per_second),
        fraction(one.autocorrelation_day),
        fraction(one.autocorrelation_week),
        f"{one.missing_bins:,}",
    ]


def _show_models(out: Output, figures: TraceFigures) -> None:
    if len(figures.models) in (1, len(figures.series)):
        return
    out.table(
        "By model",
        ["model", "mean/s>", "peak/s>", "day>", "week>", "tokens in>", "tokens out>"],
        [
            [
                one.model,
                rate(one.total.mean_per_second),
                rate(one.total.peak_per_second),
                fraction(one.total.autocorrelation_day),
                fraction(one.total.autocorrelation_week),
                count(one.total.mean_input_tokens),
                count(one.total.mean_output_tokens),
            ]
            for one in figures.models
        ],
        empty="",
    )


def _show_target(out: Output, compared: Sequence[Beside]) -> None:
    plain = [one for one in compared if not one.level]
    if plain:
        out.table(
            "Comparison with the target",
            ["model", "figure", "found>", "target>", "measured ÷ target>"],
            [
                [
                    one.model or "all",
                    one.figure,
                    rate(one.found),
                    rate(one.wanted),
                    fraction(one.ratio),
                ]
                for one in plain
            ],
            empty="",
        )
    for figure in dict.fromkeys(one.figure for one in compared if one.level):
        _show_quantiles(out, figure, [one for one in compared if one.figure == figure])


def _show_quantiles(out: Output, figure: str, compared: Sequence[Beside]) -> None:
    """Two rows a model: what was found, and the target below it."""
    levels = list(dict.fromkeys(one.level for one in compared))
    rows: list[list[str]] = []
    for model in dict.fromkeys(one.model for one in compared):
        own = {one.level: one for one in compared if one.model == model}
        for name in ("found", "wanted"):
            cells = [rate(getattr(own.get(level), name, None)) for level in levels]
            rows.append([(model or "all") if name == "found" else "  target", *cells])
    columns = ["", *[f"{level}>" for level in levels]]
    out.table(f"{figure.capitalize()} compared with the target", columns, rows, empty="")


def show_scenario(out: Output, figures: ScenarioFigures) -> None:
    """What a scenario holds under one seed."""
    out.facts(
        {
            "scenario": f"{figures.name}, seed {figures.seed}",
            "what": figures.description or "–",
            "sized for": figures.sized_for,
            "simulated": f"{at(figures.begins)} to {at(figures.ends)}, "
            f"after {figures.history_days:g} days of history",
            "regions": ", ".join(figures.regions),
            "requests": count(figures.requests),
            "tokens": f"{count(figures.input_tokens)} in, {count(figures.output_tokens)} out",
            "reachable": f"{percent(figures.reachable_share)} of requests; of interactive-fast "
            f"{percent(figures.strict_share)} start within a second on an idle replica",
            "unknown": f"{count(figures.unknown_minutes)} minutes of single demands",
            "initial fleet": f"{count(figures.first_fleet_replicas)} replicas",
        }
    )
    out.table(
        "Busy replicas by the planner's θ",
        ["model", "requests>", "peak>", "mean>", "trough>", "peak ÷ trough>", "in>", "out>"],
        [
            [
                one.model,
                count(one.requests),
                rate(one.busy_peak),
                rate(one.busy_mean),
                rate(one.busy_trough),
                fraction(one.peak_to_trough),
                count(one.mean_input_tokens),
                count(one.mean_output_tokens),
            ]
            for one in figures.models
        ],
        empty="No model.",
    )
    for sentence in figures.said:
        out.say(sentence)
