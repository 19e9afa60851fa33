"""Splits a usage batch by model, so that an unknown model does not hold up known ones."""

from __future__ import annotations

from heliostat.v1 import usage_pb2

_ROWS = (
    "window_start_seconds",
    "revision",
    "offered_requests",
    "admitted_requests",
    "rejected_requests",
    "retried_requests",
    "completed_requests",
    "input_tokens",
    "output_tokens",
    "ttft_sketch",
    "itl_sketch",
    "e2e_sketch",
)
"""The columns beside `series_index`; those of which nothing was measured are empty."""


def by_model(batch: usage_pb2.UsageBatch) -> list[usage_pb2.UsageBatch]:
    """One batch per model with windows, in the order of their first series; sequences are the caller's."""
    models = dict.fromkeys(series.model for series in batch.series)
    parts = [_part(batch, model) for model in models]
    return [part for part in parts if part.series_index]


def _part(batch: usage_pb2.UsageBatch, model: str) -> usage_pb2.UsageBatch:
    kept = [number for number, series in enumerate(batch.series) if series.model == model]
    places = {number: place for place, number in enumerate(kept)}
    rows = [row for row, number in enumerate(batch.series_index) if number in places]
    part = usage_pb2.UsageBatch(
        source_id=batch.source_id,
        incarnation=batch.incarnation,
        series=[batch.series[number] for number in kept],
        series_index=[places[batch.series_index[row]] for row in rows],
    )
    for name in _ROWS:
        column = getattr(batch, name)
        getattr(part, name).extend(column[row] for row in rows if column)
    return part
