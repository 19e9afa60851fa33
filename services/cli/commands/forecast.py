"""`heliostat forecast`: forecasts, their accuracy, and a backtest of methods on a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heliostat.model.names import Tier, TokenKind
from services.cli.asking import (
    Limit,
    Models,
    Regions,
    SkipBad,
    Tiers,
    model_names,
    region_names,
)
from services.cli.client import Client
from services.cli.figures import at, percent, rate
from services.cli.output import Output, progress
from services.cli.times import INSTANT_HELP, LENGTH_HELP, parse_instant, parse_length, present
from services.cli.wiring import wired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heliostat.model.forecast import Forecast, ForecastScore
    from heliostat.v1 import forecast_pb2

app = typer.Typer(no_args_is_help=True, help="Forecasts and their accuracy.")

Kinds = Annotated[list[TokenKind] | None, typer.Option("--kind", help="Tokens; may repeat.")]


@app.command()
@wired
def get(
    client: Client,
    out: Output,
    region: Regions = None,
    model: Models = None,
    tier: Tiers = None,
    kind: Kinds = None,
    when: Annotated[str, typer.Option("--at", help=f"In force at: {INSTANT_HELP}.")] = "now",
    steps: Annotated[int, typer.Option(min=1, help="Number of steps ahead to show.")] = 8,
    limit: Limit = 20,
) -> None:
    """Show forecasts in force, tokens per second; --json has every step. Region * = all regions."""
    from google.protobuf.timestamp_pb2 import Timestamp

    from heliostat.v1 import forecast_pb2
    from services.translation.forecasts import forecast_from_wire

    moment = None
    if when != "now":
        moment = Timestamp(seconds=int(parse_instant("--at", when, present()).timestamp()))
    request = forecast_pb2.ListForecastsRequest(
        filter=_filter(region, model, tier, kind), at=moment
    )
    answers = client.rows(client.forecasts.ListForecasts, request, of="forecasts", limit=limit)
    found = [forecast_from_wire("forecast", one) for one in answers]
    if out.as_json:
        out.json({"forecasts": found})
        return
    if not found:
        out.say("No forecasts for these series yet; the next refresh creates them.")
    for forecast in found:
        _show(out, forecast, steps)


@app.command()
@wired
def accuracy(
    client: Client,
    out: Output,
    region: Regions = None,
    model: Models = None,
    tier: Tiers = None,
    kind: Kinds = None,
    method: Annotated[list[str] | None, typer.Option(help="Method; may repeat.")] = None,
    limit: Limit = 60,
) -> None:
    """Compare forecasts with what came, champions beside the naive baselines."""
    from heliostat.v1 import forecast_pb2
    from services.translation.forecasts import champion_from_wire, score_from_wire

    request = forecast_pb2.GetForecastAccuracyRequest(
        filter=_filter(region, model, tier, kind), methods=method or []
    )
    answer = client.call(client.forecasts.GetForecastAccuracy, request)
    scores = [score_from_wire("score", one) for one in answer.scores]
    champions = [champion_from_wire("champion", one) for one in answer.champions]
    if out.as_json:
        out.json({"scores": scores, "champions": champions})
        return
    show_scores(out, scores, limit, empty="No forecast has been scored yet.")
    out.table(
        "Champions",
        ["series", "method", "since!", "reason"],
        [[str(one.key), one.method, at(one.since), one.reason] for one in champions],
        empty="No champion has been selected yet; selection runs nightly.",
    )


@app.command()
@wired
def backtest(
    out: Output,
    trace: Annotated[Path, typer.Argument(help="A trace or series file (see `heliostat trace`).")],
    days: Annotated[
        int, typer.Option(min=1, help="Number of days to replay, at the end of the file.")
    ] = 3,
    every: Annotated[str, typer.Option(help=f"Time between forecasts: {LENGTH_HELP}.")] = "6h",
    horizon: Annotated[str, typer.Option(help="Forecast horizon.")] = "24h",
    series: Annotated[int, typer.Option(min=1, help="Number of series, largest first.")] = 3,
    family: Annotated[
        str, typer.Option(help="fast, or full (includes the slow methods).")
    ] = "fast",
    limit: Limit = 60,
    skip_bad_rows: SkipBad = False,
) -> None:
    """Replay the end of a trace and score every method, each forecast from past data only."""
    from services.cli.forecast_backtest import backtest_series

    with progress(f"replaying {trace.name}") as bar:
        scores, notes = backtest_series(
            trace,
            days=days,
            every=parse_length("--every", every),
            horizon=parse_length("--horizon", horizon),
            most_series=series,
            family=family,
            skip_bad_rows=skip_bad_rows,
            on_series=lambda name: bar.update(bar.task_ids[0], done=name),
        )
    if out.as_json:
        out.json({"scores": scores, "notes": notes})
        return
    for note in notes:
        out.note(note)
    show_scores(out, scores, limit, empty="Nothing could be scored: the file is too short.")


def _filter(
    region: list[str] | None,
    model: list[str] | None,
    tier: list[Tier] | None,
    kind: list[TokenKind] | None,
) -> forecast_pb2.SeriesFilter:
    from services.translation.forecasts import SeriesFilter, filter_to_wire

    return filter_to_wire(
        SeriesFilter(
            origins=region_names(region),
            models=model_names(model),
            tiers=frozenset(tier or ()),
            kinds=frozenset(kind or ()),
        )
    )


def show_scores(out: Output, scores: Sequence[ForecastScore], limit: int, *, empty: str) -> None:
    """The first `limit` scores, a table per series; `covered` = values at or below the 95 % quantile."""
    if not scores:
        out.say(empty)
    shown = scores[:limit]
    for key in dict.fromkeys(one.key for one in shown):
        out.table(
            str(key),
            ["method", "ahead>", "WAPE>", "bias>", "covered>", "n>"],
            [_score_row(one) for one in shown if one.key == key],
            empty="",
        )
    if len(scores) > limit:
        out.note(f"{len(scores) - limit:,} more rows; raise --limit to see them.")


def _score_row(one: ForecastScore) -> list[str]:
    covered = next((share for level, share in one.coverage if abs(level - 0.95) < 1e-6), None)
    return [
        one.method,
        f"{one.horizon.total_seconds() / 3600:g} h",
        percent(one.wape),
        percent(one.bias),
        percent(covered),
        f"{one.scored:,}",
    ]


def _show(out: Output, forecast: Forecast, steps: int) -> None:
    degraded = f"; {forecast.degraded}" if forecast.degraded else ""
    out.table(
        f"{forecast.key}: {forecast.method}, issued {at(forecast.issued_at)}{degraded}",
        ["from!", *(f"p{level * 100:g}>" for level in forecast.levels), "peak p95>"],
        [
            [
                at(forecast.start + forecast.step * step),
                *(rate(row[step]) for row in forecast.mean),
                rate(forecast.peak[forecast.level_index(0.95)][step]),
            ]
            for step in range(min(steps, forecast.steps))
        ],
        empty="The forecast has no steps.",
    )
