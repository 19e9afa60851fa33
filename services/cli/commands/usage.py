"""`heliostat usage`: past usage by bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.asking import Limit, Models, Regions, Tiers, model_names, region_names
from services.cli.client import Client
from services.cli.figures import NOTHING, at, count
from services.cli.output import Output
from services.cli.times import INSTANT_HELP, LENGTH_HELP, parse_length, parse_span, present
from services.cli.wiring import wired

if TYPE_CHECKING:
    from heliostat.model.usage import UsageBucket

app = typer.Typer(no_args_is_help=True, help="Past usage per series and bucket.")


@app.callback()
def _group() -> None:
    """Past usage per series and bucket."""


@app.command()
@wired
def query(
    client: Client,
    out: Output,
    start: Annotated[str, typer.Option(help=f"From: {INSTANT_HELP}.")] = "-1h",
    end: Annotated[str, typer.Option(help="To (exclusive).")] = "now",
    bucket: Annotated[str, typer.Option(help=f"{LENGTH_HELP.capitalize()}.")] = "15m",
    region: Regions = None,
    serving: Annotated[
        list[str] | None, typer.Option("--serving", help="Region that served; may repeat.")
    ] = None,
    model: Models = None,
    tier: Tiers = None,
    latency: Annotated[bool, typer.Option("--latency", help="Include latencies.")] = False,
    limit: Limit = 200,
) -> None:
    """Show usage per series and bucket, summed over sources; – = not measured, never 0."""
    from heliostat.model.usage import UsageQuery
    from services.translation.usage_views import bucket_from_wire, query_to_wire

    asked = UsageQuery(
        span=parse_span(start, end, present()),
        bucket=parse_length("--bucket", bucket),
        origins=region_names(region),
        servings=region_names(serving),
        models=model_names(model),
        tiers=frozenset(tier or ()),
        with_latency=latency,
    )
    found = [
        bucket_from_wire("bucket", one)
        for one in client.rows(
            client.usage.QueryUsage, query_to_wire(asked), of="buckets", limit=limit + 1
        )
    ]
    shown = found[:limit]
    if out.as_json:
        out.json({"span": asked.span, "bucket": asked.bucket, "buckets": shown})
        return
    columns = ["start!", "series", "offered>", "served>", "rejected>", "in tok>", "out tok>"]
    out.table(
        "",
        [*columns, *(["TTFT p50/p99>"] if latency else [])],
        [_row(one, latency) for one in shown],
        empty=f"No usage between {at(asked.span.start)} and {at(asked.span.end)}.",
    )
    if len(found) > limit:
        out.note(f"Only the first {limit:,} rows are shown; raise --limit for more.")


def _row(one: UsageBucket, latency: bool) -> list[str]:
    series = one.series
    way = series.origin if series.origin == series.serving else f"{series.origin}→{series.serving}"
    row = [
        at(one.start),
        f"{way} {series.model} {series.tier}",
        count(one.offered),
        count(one.completed),
        count(one.rejected),
        count(one.input_tokens),
        count(one.output_tokens),
    ]
    return [*row, _ttft(one)] if latency else row


def _ttft(one: UsageBucket) -> str:
    if one.ttft is None:
        return NOTHING
    quantiles = [one.ttft.quantile(level) for level in (0.5, 0.99)]
    return "/".join(NOTHING if value is None else f"{value:.2f} s" for value in quantiles)
