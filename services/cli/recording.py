"""Takes a stretch of history out of a control plane's database, as a scenario in a file."""

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
    "What was shed is offered again, once; retries are not counted as demand. Who gave up and never "
    "asked is in no history: nobody knows what they would have wanted.",
    "Prompt and output lengths are drawn from published shapes, stretched to the tokens of each minute.",
    "The fleet that stood then is not replayed: every policy begins with what the first hour needs.",
)


def record(database: str, catalogue: Path, span: Span, memory: timedelta, folder: Path) -> Path:
    """The file with the history of `memory` before the span, and the span to live, in whole quarters.

    Raises InvalidSettings, InvalidCatalogue, MigrationBehind, StorageUnavailable, InvalidInput.
    """
    if database == "memory":
        raise InvalidSettings("--database", "memory holds no history to go back to")
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
    lived = Span(floor_to(span.start, BUCKET), floor_to(span.end, BUCKET))
    if not lived.length:
        raise InvalidInput("--to", "lies in the same quarter of an hour as --from")
    if lived.length > _LONGEST:
        raise InvalidInput("--to", f"lies more than {_LONGEST.days} days after --from")
    first = stores.usage.first_window()
    if first is None or first >= lived.end:
        raise InvalidInput("--from", "the database holds no usage before --to")
    if lived.start < first:
        raise InvalidInput(
            "--from", f"the history begins {at(first)}", remedy="begin later, best some days later"
        )
    whole = Span(max(floor_to(first, BUCKET), lived.start - memory), lived.end)
    past = past_arrivals(stores.usage, fleet, whole)
    mapping, measured = with_lead_times(mapping, stores.fleet.lead_times(whole.start))
    path = folder / f"{NAME}{SUFFIX}"
    write_recorded(
        path,
        catalogue=mapping,
        arrivals=past.arrivals,
        span=lived,
        said=(*_said(past, lived), _lead_times(measured), *_ALWAYS),
    )
    return path


def _said(past: Past, lived: Span) -> list[str]:
    arrivals = past.arrivals
    said = [f"{at(arrivals.start)} to {at(lived.start)} is known as history when the run begins."]
    if past.minutes_from > arrivals.start:
        until = min(past.minutes_from, arrivals.span.end)
        said.append(
            f"Before {at(until)} the database keeps quarters of an hour: their sums are spread evenly "
            "over their minutes, so that peaks inside them are gone."
        )
    part = arrivals.within(lived)
    holes = {
        demand.origin: int(np.isnan(column.offered).sum())
        for demand, column in part.by_demand.items()
    }
    said += [
        f"{count(minutes)} minutes of {origin} were not reported: nothing arrives in them."
        for origin, minutes in sorted(holes.items())
        if minutes
    ]
    if past.left_out:
        said.append(
            f"{count(past.left_out)} requests are left out: the catalogue no longer offers what they "
            "asked for."
        )
    return said


def _lead_times(measured: tuple[str, ...]) -> str:
    if not measured:
        return "Lead times are the catalogue's priors: too few starts were measured."
    return f"Lead times are the measured ones where there are enough: {', '.join(measured)}."
