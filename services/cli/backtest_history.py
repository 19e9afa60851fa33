"""Extracts a period of history from a control plane's database as a scenario file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput, InvalidSettings
from heliostat.model.demand import BUCKET
from heliostat.model.instants import Span, floor_to
from heliostat.ports.stores import Stores
from services.cli.figures import at, count
from simulation.experiments.measured import with_lead_times
from simulation.experiments.past import Past, past_arrivals
from simulation.experiments.recorded import SUFFIX, write_recorded
from storage.catalogue_file import read_catalogue, read_catalogue_mapping
from storage.opening import open_stores

NAME = "history"
_LONGEST = timedelta(days=366)
_ALWAYS = (
    "Shed requests are offered again, once; retries are not counted as demand. Users who gave up "
    "without retrying are not in the history.",
    "Prompt and output lengths are drawn from published shapes, scaled to the tokens of each minute.",
    "The fleet of that time is not replayed: every policy begins with what the first hour needs.",
)


def record(database: str, catalogue: Path, span: Span, memory: timedelta, folder: Path) -> Path:
    """The file with the history of `memory` before the span, and the span to simulate, in whole buckets.

    Raises InvalidSettings, InvalidCatalogue, MigrationBehind, StorageUnavailable, InvalidInput.
    """
    if database == "memory":
        raise InvalidSettings("--database", "memory has no history to replay")
    fleet, mapping = read_catalogue(catalogue), read_catalogue_mapping(catalogue)
    opened = open_stores(database)
    try:
        return _write(opened.stores, fleet, mapping, span, memory, folder)
    finally:
        opened.close()


def _write(
    stores: Stores,
    fleet: FleetCatalogue,
    mapping: dict[str, Any],
    span: Span,
    memory: timedelta,
    folder: Path,
) -> Path:
    asked = Span(floor_to(span.start, BUCKET), floor_to(span.end, BUCKET))
    if not asked.length:
        raise InvalidInput("--to", "is in the same 15 minutes as --from")
    if asked.length > _LONGEST:
        raise InvalidInput("--to", f"is more than {_LONGEST.days} days after --from")
    first = stores.usage.first_window()
    if first is None or first >= asked.end:
        raise InvalidInput("--from", "the database has no usage before --to")
    if asked.start < first:
        raise InvalidInput(
            "--from",
            f"the history begins {at(first)}",
            remedy="begin later, preferably by several days",
        )
    whole = Span(max(floor_to(first, BUCKET), asked.start - memory), asked.end)
    past = past_arrivals(stores.usage, fleet, whole)
    mapping, measured = with_lead_times(mapping, stores.fleet.lead_times(whole.start))
    path = folder / f"{NAME}{SUFFIX}"
    write_recorded(
        path,
        catalogue=mapping,
        arrivals=past.arrivals,
        span=asked,
        said=(*_said(past, asked), _lead_times(measured), *_ALWAYS),
    )
    return path


def _said(past: Past, asked: Span) -> list[str]:
    arrivals = past.arrivals
    said = [
        f"{at(arrivals.start)} to {at(asked.start)} is available as history at the start of the run."
    ]
    if past.minutes_from > arrivals.start:
        until = min(past.minutes_from, arrivals.span.end)
        said.append(
            f"Before {at(until)} the database has only 15-minute buckets: their sums are spread evenly "
            "over their minutes, so peaks inside them are lost."
        )
    part = arrivals.within(asked)
    holes = {
        demand.origin: int(np.isnan(column.offered).sum())
        for demand, column in part.by_demand.items()
    }
    said += [
        f"{count(minutes)} minutes of {origin} were not reported: no requests arrive in them."
        for origin, minutes in sorted(holes.items())
        if minutes
    ]
    if past.left_out:
        said.append(
            f"{count(past.left_out)} requests are left out: the catalogue no longer offers their "
            "region, model or tier."
        )
    return said


def _lead_times(measured: tuple[str, ...]) -> str:
    if not measured:
        return "Lead times are the catalogue's: too few starts were measured."
    return f"Lead times are measured where enough starts were recorded: {', '.join(measured)}."
