"""`heliostat profile`: engine laws from measured times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heliostat.errors import InvalidInput
from services.cli.asking import SkipBad
from services.cli.figures import percent
from services.cli.output import Output, progress
from services.cli.wiring import wired

if TYPE_CHECKING:
    from simulation.profiles.fitting import FitReport
    from simulation.profiles.law import Fit
    from simulation.profiles.rows import ProfileKey

_NAMED = 3
app = typer.Typer(no_args_is_help=True, help="Engine laws from measured times.")


@app.callback()
def _group() -> None:
    """Engine laws from measured times."""


@app.command()
@wired
def fit(
    tables: Annotated[
        Path,
        typer.Argument(
            help="A folder of profile tables (CSV), or one of them.", metavar="DIR|FILE"
        ),
    ],
    save: Annotated[
        Path | None,
        typer.Option(help="Write the laws to this file (YAML), with sources and errors."),
    ] = None,
    skip_bad_rows: SkipBad = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report as JSON; - = stdout.")
    ] = None,
) -> None:
    """Fit prefill and decode laws, with their errors and the range beyond which they extrapolate.

    Iteration times of whole engines give measured laws; times of single operators give composed
    ones, and scaled ones for models without measurements. Tables that yield no law end with code 65.
    """
    from simulation.profiles.fitting import fit_laws
    from simulation.profiles.laws_file import write_laws
    from simulation.profiles.reading import read_profiles

    with progress("fitting"):
        report = fit_laws(read_profiles(tables, skip_bad_rows=skip_bad_rows))
    if save is not None and report.laws:
        write_laws(report.laws, save)
    out = Output()
    if json_file is not None:
        out.json_to(json_file, report.as_mapping())
    if str(json_file) != "-":
        _show(out, report)
    if not report.laws:
        raise InvalidInput(
            str(tables),
            "yields no law",
            remedy="docs/engine-laws.md lists what a law needs",
        )


_LAWS = (
    ("Prefill: a + b·N + c·max(0, N − 2048), ms", "abc", "prefill"),
    ("Decode iteration: d0 + d1·B + d2·B·context/1000, ms", ("d0", "d1", "d2"), "decode"),
)


def _show(out: Output, report: FitReport) -> None:
    for title, names, which in _LAWS if report.laws else ():
        out.table(
            title,
            ["law", "kind", *(f"{name}>" for name in names), "MAPE>", "worst>"],
            [[_engine(law.key), law.kind, *_fit_cells(getattr(law, which))] for law in report.laws],
            empty="",
        )
    if report.agreements:
        _compare(out, report)
    for file in report.files:
        bad = (
            f", {file.bad:,} bad {'row' if file.bad == 1 else 'rows'} left out" if file.bad else ""
        )
        out.say(f"{file.name}: {file.note or f'{file.rows:,} rows'}{bad}.")
    for key, reasons in report.left_out.items():
        for why, rows in reasons.items():
            out.say(f"{key}: {rows:,} {'row' if rows == 1 else 'rows'} left out of {why}.")
    for why in dict.fromkeys(why for _, why in report.without_law):
        keys = [str(key) for key, reason in report.without_law if reason == why]
        shown = keys[:_NAMED] + [f"{len(keys) - _NAMED} more"] * (len(keys) > _NAMED)
        out.say(f"No law for {', '.join(shown)}: {why}.")


def _compare(out: Output, report: FitReport) -> None:
    out.table(
        "Sums of operators and whole iterations (one sequence; mean over all settings)",
        ["engine", "measured>", "summed>", "decode>", "prefill>"],
        [
            [
                _engine(one.key),
                f"{1000 * one.measured_seconds:.1f} ms",
                f"{1000 * one.composed_seconds:.1f} ms",
                percent(one.decode_difference),
                percent(one.prefill_difference),
            ]
            for one in report.agreements
        ],
        empty="",
    )


def _engine(key: ProfileKey) -> str:
    return f"{key.model} {key.tensor_parallel}×{key.gpu}"


def _fit_cells(fit: Fit) -> list[str]:
    return [
        *(f"{1000 * value:.4g}" for value in fit.coefficients),
        percent(fit.mape),
        percent(fit.worst),
    ]
