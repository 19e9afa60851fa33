"""`heliostat trace`: describe, convert, build and synthesise traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.asking import DEFAULT_CATALOGUE, Catalogue, SkipBad
from services.cli.output import Output, progress
from services.cli.times import INSTANT_HELP, parse_instant, present
from services.cli.wiring import wired

if TYPE_CHECKING:
    from heliostat.model.instants import Span
    from simulation.workload.formats import TraceFormat

app = typer.Typer(no_args_is_help=True, help="Request traces and load series.")

Source = Annotated[
    Path,
    typer.Argument(
        help="Your own CSV, Azure, BurstGPT, Mooncake, ServeGen or Heliostat's parquet.",
        metavar="TRACE",
    ),
]
FormatName = Annotated[str, typer.Option("--format", help="The file's format (default: detected).")]


@app.command()
@wired
def describe(
    out: Output,
    trace: Annotated[
        Path,
        typer.Argument(
            help="A trace, a scenario file (.yaml), or a built-in scenario's name.",
            metavar="TRACE|SCENARIO",
        ),
    ],
    series: Annotated[
        int, typer.Option(min=0, help="Number of series to list, largest first.")
    ] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of a scenario's requests.")] = 1,
    skip_bad_rows: SkipBad = False,
    format_name: FormatName = "",
) -> None:
    """Show rates, cycles, bursts and lengths of a trace beside its target, or a scenario's size."""
    from simulation.scenarios.finding import SPEC_SUFFIXES

    # A bare word that is no file can only be meant for a scenario, built in or misspelt.
    if trace.suffix in SPEC_SUFFIXES or (
        trace.name == trace.stem == str(trace) and not trace.exists()
    ):
        _describe_scenario(out, str(trace), seed)
        return
    from services.cli.trace_words import show_trace
    from simulation.scenarios.notes import read_target
    from simulation.workload.beside import beside
    from simulation.workload.describe import describe as figures_of
    from simulation.workload.load import load_trace

    with _reading(trace) as on_rows:
        loaded = load_trace(
            trace, wanted=_format(format_name), skip_bad_rows=skip_bad_rows, on_rows=on_rows
        )
    figures = figures_of(loaded)
    target = read_target(trace, loaded.format)
    compared = beside(figures, target) if target else ()
    if out.as_json:
        out.json({**asdict(figures), "target": compared})
        return
    show_trace(out, figures, compared, series)


@app.command()
@wired
def build(
    out: Output,
    target: Annotated[Path, typer.Argument(help="The parquet file to write.", metavar="OUT")],
    spec: Annotated[Path, typer.Option(help="The scenario file (docs/scenarios.md).")],
    seed: Annotated[
        int | None, typer.Option(min=0, help="Overrides the file's seed.", show_default=False)
    ] = None,
) -> None:
    """Write a scenario's requests as a trace; the same file and seed give the same requests."""
    from services.cli.figures import span_words
    from simulation.scenarios.building import build_trace

    with progress(f"building {target.name}") as bar:

        def on_begun(span: Span) -> None:
            bar.update(bar.task_ids[0], total=span.length.total_seconds())

        def on_written(requests: int, seconds: float) -> None:
            bar.update(bar.task_ids[0], completed=seconds, done=f"{requests:,} requests")

        built = build_trace(spec, target, seed=seed, on_begun=on_begun, on_written=on_written)
    if out.as_json:
        out.json(built)
        return
    for sentence in built.said:
        out.note(sentence)
    length = span_words((built.ends - built.begins).total_seconds())
    out.say(
        f"{target}: {built.requests:,} requests over {length} from "
        f"{built.begins:%Y-%m-%dT%H:%MZ}, seed {built.seed}."
    )
    if built.history:
        out.say(f"{built.history}: the history by minute; keep it beside the trace.")


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
    """Write a trace as request parquet or series parquet."""
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
    days: Annotated[int, typer.Option(help="Number of days.")] = 15,
    busy: Annotated[
        float, typer.Option(help="Busy replicas per model in the busiest mean hour.")
    ] = 20.0,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 1,
) -> None:
    """Generate a fleet's demand by the minute from the shapes that SageServe publishes."""
    from heliostat.model.instants import floor_to
    from heliostat.model.usage import WINDOW
    from simulation.workload.convert import arrivals_as_series, write_series
    from simulation.workload.synthesis import synthesis_sentences, synthesise
    from storage.catalogue_file import read_catalogue

    fleet = read_catalogue(catalogue)
    first = floor_to(parse_instant("--start", start, present()), WINDOW)
    with progress("generating demand"):
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


def _describe_scenario(out: Output, named: str, seed: int) -> None:
    from services.cli.trace_words import show_scenario
    from simulation.scenarios.figures import scenario_figures
    from simulation.scenarios.finding import find_scenario

    with progress(f"reading {named}") as bar:
        scenario = find_scenario(named)
        length = scenario.span.length.total_seconds()
        bar.update(bar.task_ids[0], total=length)

        def on_time(until: datetime) -> None:
            seconds = (until - scenario.begins).total_seconds()
            bar.update(bar.task_ids[0], completed=seconds)

        figures = scenario_figures(scenario, seed, on_time)
    if out.as_json:
        out.json(figures)
        return
    show_scenario(out, figures)


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
