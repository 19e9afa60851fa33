"""What of a trace can be worked with: its series without sums and silence, and the clock of its users."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from heliostat.errors import InvalidTrace
from simulation.workload.describe import without_roll_ups
from simulation.workload.load import LoadedTrace
from simulation.workload.series import LoadSeries, observed


def usable_series(trace: LoadedTrace) -> tuple[list[LoadSeries], list[str]]:
    """The series to work with, at least one, and what was said or left out so far.

    Raises InvalidTrace when the trace holds no load.
    """
    said = list(trace.said)
    if not trace.series:
        return [_flat_hour(trace)], said
    singles, sums = without_roll_ups(trace.series)
    if sums:
        said.append(f"{', '.join(sums)} left out: sums of the others.")
    if not trace.whole:
        singles = [_without_last_bin(one) for one in singles]
    filled = [one for one in singles if observed(one.volume) and np.nansum(one.volume) > 0]
    if len(filled) < len(singles):
        said.append(f"{len(singles) - len(filled)} series without load left out.")
    if not filled:
        raise InvalidTrace(str(trace.path), "contains no load", kept=trace.kept)
    return filled, said


def _without_last_bin(series: LoadSeries) -> LoadSeries:
    """Without the minute in which the trace stops, which is cut off; a single one is kept."""
    if len(series) < 2:
        return series
    requests, input_tokens, output_tokens = (column[:-1] for column in series.measures)
    return replace(
        series, requests=requests, input_tokens=input_tokens, output_tokens=output_tokens
    )


def _flat_hour(trace: LoadedTrace) -> LoadSeries:
    """An hour of one request a minute with the trace's mean lengths: arrivals that say nothing."""
    lengths = trace.lengths
    prompt, output = (lengths.prompt.mean, lengths.output.mean) if lengths else (None, None)
    if prompt is None or output is None:
        raise InvalidTrace(
            str(trace.path), "contains neither arrivals nor lengths", kept=trace.kept
        )
    return LoadSeries(
        series_id="lengths",
        start=None,
        step=timedelta(minutes=1),
        requests=np.ones(60),
        input_tokens=np.full(60, prompt),
        output_tokens=np.full(60, output),
    )


def source_clock(trace: LoadedTrace, series: LoadSeries, start: datetime) -> tuple[int, str]:
    """How many minutes the trace's local clock is ahead of its stamps, and what to say about it."""
    each = "Each region follows the trace's local time on its own clock"
    if series.start is None:
        return 0, f"{each}; the trace has no date: its first row is taken as a Monday's midnight."
    try:
        ahead = start.astimezone(ZoneInfo(trace.time_zone)).utcoffset() if trace.time_zone else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        ahead = None
    if ahead is None:
        return (
            0,
            f"{each}; the trace names no local time zone, so its stamps are taken as local time.",
        )
    return int(ahead.total_seconds() // 60), f"{each} (the trace's is {trace.time_zone})."
