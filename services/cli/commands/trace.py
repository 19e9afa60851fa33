"""`heliostat trace`: look at a trace, turn it into our formats, or make one up from published shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.figures import count, fraction, rate, span_words
from services.cli.output import Output, progress
from services.cli.times import INSTANT_HELP, parse_instant, present
from services.cli.wiring import wired

if TYPE_CHECKING:
    from simulation.workload.describe import LengthFigures, TraceFigures
    from simulation.workload.figures import SeriesFigures
    from simulation.workload.formats import TraceFormat

app = typer.Typer(no_args_is_help=True, help="Request traces and load series.")

Source = Annotated[
    Path,
    typer.Argument(help="Azure, BurstGPT, Mooncake, ServeGen or our parquet.", metavar="TRACE"),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad-rows", help="Leave bad rows out, counted, instead of refusing the file."
    ),
]
FormatName = Annotated[
    str, typer.Option("--format", help="Take the file as this format instead of finding out.")
]
Catalogue = Annotated[
    Path, typer.Option("--catalogue", envvar="HELIOSTAT_CATALOGUE", help="The fleet catalogue.")
]
DEFAULT_CATALOGUE = Path("deploy/catalogue.yaml")


@app.command()
@wired
def describe(
    out: Output,
    trace: Source,
    series: Annotated[
        int, typer.Option(min=0, help="How many series to list, largest first.")
    ] = 10,
    skip_bad_rows: SkipBad = False,
    format_name: FormatName = "",
) -> None:
    """Rates, cycles, bursts and lengths of a trace."""
    from simulation.workload.describe import describe as figures_of
    from simulation.workload.load import load_trace

    with _reading(trace) as on_rows:
        loaded = load_trace(
            trace, wanted=_format(format_name), skip_bad_rows=skip_bad_rows, on_rows=on_rows
        )
    figures = figures_of(loaded)
    if out.as_json:
        out.json(figures)
        return
    _show(out, figures, series)


@app.command()
@wired
def convert(
    out: Output,
    trace: Source,
    target: Annotated[Path, typer.Argument(help="The parquet file to write.")],
    to: Annotated[
        str, typer.Option(help="requests (row by row) or series (sums per bin).")
    ] = "series",
    skip_bad_rows: SkipBad = False,
    format_name: FormatName = "",
) -> None:
    """Write a trace as our request parquet or series parquet."""
    from heliostat.errors import InvalidInput
    from simulation.workload.convert import convert_requests, convert_series
    from simulation.workload.formats import detect_format
    from simulation.workload.load import load_trace

    kind = _format(format_name) or detect_format(trace)
    said: list[str]
    if to == "requests":
        with _reading(trace) as on_rows:
            ledger = convert_requests(
                trace, target, kind=kind, skip_bad_rows=skip_bad_rows, on_rows=on_rows
            )
        written, bad, said = ledger.kept, ledger.bad, ledger.sentences()
    elif to == "series":
        with _reading(trace) as on_rows:
            loaded = load_trace(trace, wanted=kind, skip_bad_rows=skip_bad_rows, on_rows=on_rows)
        written, bad, said = convert_series(loaded, target), loaded.bad, list(loaded.said)
    else:
        raise InvalidInput("--to", f"{to!r} is neither requests nor series")
    if out.as_json:
        out.json({"path": target, "format": to, "rows": written, "rows_bad": bad, "notes": said})
        return
    for sentence in said:
        out.note(sentence)
    out.say(f"{target}: {written:,} rows of {to}.")


@app.command()
@wired
def synthesize(
    out: Output,
    target: Annotated[Path, typer.Argument(help="The series parquet to write.")],
    catalogue: Catalogue = DEFAULT_CATALOGUE,
    start: Annotated[
        str, typer.Option(help=f"First minute: {INSTANT_HELP}.")
    ] = "2026-03-02T00:00Z",
    days: Annotated[int, typer.Option(help="How many days.")] = 15,
    busy: Annotated[
        float, typer.Option(help="Busy replicas per model in the busiest mean hour.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same minutes.")] = 1,
) -> None:
    """Make a fleet's demand up from the shapes that SageServe publishes, minute by minute."""
    from heliostat.model.instants import floor_to
    from heliostat.model.usage import WINDOW
    from simulation.workload.convert import arrivals_as_series, write_series
    from simulation.workload.synthesis import synthesis_sentences, synthesise
    from storage.catalogue_file import read_catalogue

    fleet = read_catalogue(catalogue)
    first = floor_to(parse_instant("--start", start, present()), WINDOW)
    with progress("making demand up"):
        arrivals = synthesise(fleet, start=first, days=days, busy_replicas=busy, seed=seed)
        made = arrivals_as_series(arrivals)
        rows = write_series(made, target, {"kind": "synthetic", "seed": str(seed)})
    notes = (*synthesis_sentences(fleet, busy), f"Seed {seed}.")
    if out.as_json:
        out.json(
            {"path": target, "rows": rows, "span": arrivals.span, "seed": seed, "notes": notes}
        )
        return
    for sentence in notes:
        out.note(sentence)
    out.say(
        f"{target}: {rows:,} rows, {len(made)} series, {days} days from {first:%Y-%m-%dT%H:%MZ}."
    )


@contextmanager
def _reading(trace: Path) -> Iterator[Callable[[int], None]]:
    with progress(f"reading {trace.name}") as bar:

        def on_rows(rows: int) -> None:
            bar.update(bar.task_ids[0], done=f"{rows:,} rows")

        yield on_rows


def _format(name: str) -> TraceFormat | None:
    from heliostat.errors import InvalidInput
    from simulation.workload.formats import TraceFormat

    if not name:
        return None
    try:
        return TraceFormat(name)
    except ValueError:
        known = ", ".join(TraceFormat)
        raise InvalidInput("--format", f"{name!r} is not one of {known}") from None


def _show(out: Output, figures: TraceFigures, most: int) -> None:
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
        empty="Quantiles of lengths need single requests; this file holds none.",
    )
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
        "start": total.start.strftime("%Y-%m-%dT%H:%M:%SZ") if total.start else "not known",
        "span": f"{span_words(total.span_seconds)} in bins of {total.bin_seconds:g} s",
        f"{total.unit} per second": f"mean {rate(total.mean_per_second)}, "
        f"peak {rate(total.peak_per_second)}, trough {rate(total.trough_per_second)}",
        "peak ÷ trough": fraction(total.peak_to_trough) if total.peak_to_trough else "–",
        "autocorrelation": f"one day {fraction(total.autocorrelation_day)}, "
        f"one week {fraction(total.autocorrelation_week)}",
        "bin ÷ median of its hour": burst or "– (needs bins of ten minutes or less)",
        "tokens per request": f"{count(total.mean_input_tokens)} in, "
        f"{count(total.mean_output_tokens)} out",
    }


def _row(one: SeriesFigures) -> list[str]:
    return [
        one.series_id,
        rate(one.mean_per_second),
        rate(one.peak_per_second),
        fraction(one.autocorrelation_day),
        fraction(one.autocorrelation_week),
        f"{one.missing_bins:,}",
    ]
