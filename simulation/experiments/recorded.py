"""A history in a file: the fleet, its demand per minute, and its assumptions, for replay."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from heliostat.catalogue import parse_catalogue
from heliostat.errors import HeliostatError, InvalidInput
from heliostat.model.instants import Span
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.requests.from_rates import RequestsFromRates
from simulation.requests.source import RequestSource
from simulation.scenarios.scenario import Scenario
from simulation.workload.published import model_shape
from simulation.workload.synthesis import lengths_of

SUFFIX = ".npz"
_BROKEN = (OSError, EOFError, BadZipFile, zlib.error, LookupError, ValueError, TypeError,
           AttributeError, ArithmeticError, NotImplementedError, RecursionError)  # fmt: skip
"""What reading a file that is not ours, or half of one that is, can end with."""
_COLUMNS = tuple(column.name for column in fields(MinuteArrivals))


def write_recorded(
    path: Path,
    *,
    catalogue: Mapping[str, Any],
    arrivals: ArrivalRates,
    span: Span,
    said: tuple[str, ...],
) -> None:
    """Keep a history; `catalogue` is the mapping that its file holds, `span` the part to simulate."""
    demands = arrivals.demands
    told = {
        "catalogue": catalogue,
        "start": arrivals.start.isoformat(),
        "begins": span.start.isoformat(),
        "ends": span.end.isoformat(),
        "demands": [[demand.origin, demand.model, str(demand.tier)] for demand in demands],
        "said": said,
    }
    kept: dict[str, Any] = {
        column: np.stack([getattr(arrivals.by_demand[demand], column) for demand in demands])
        for column in _COLUMNS
    }
    kept["told"] = np.array(json.dumps(told, sort_keys=True))
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        np.savez_compressed(file, **kept)
    beside.replace(path)


def read_recorded(path: Path) -> Scenario:
    """The scenario in a file of ours. Raises InvalidInput, naming the file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            told = json.loads(str(kept["told"]))
            columns = {column: np.asarray(kept[column], np.float64) for column in _COLUMNS}
        return _scenario(told, columns, path.stem)
    except (*_BROKEN, HeliostatError) as error:
        raise InvalidInput(str(path), f"is not a recorded history: {error}") from error


def _scenario(told: Mapping[str, Any], columns: Mapping[str, Any], name: str) -> Scenario:
    arrivals = ArrivalRates(
        start=datetime.fromisoformat(told["start"]),
        by_demand={
            _demand(key): MinuteArrivals(**{column: columns[column][i] for column in _COLUMNS})
            for i, key in enumerate(told["demands"])
        },
    )
    catalogue = parse_catalogue(told["catalogue"])
    begins, ends = (datetime.fromisoformat(told[key]) for key in ("begins", "ends"))
    lengths = {
        model.name: lengths_of(model_shape(place)) for place, model in enumerate(catalogue.models)
    }

    def source(seed: int) -> RequestSource:
        return RequestsFromRates(arrivals, begins=begins, lengths=lengths, seed=seed)

    return Scenario(
        name=name,
        description="A recorded history.",
        sized_for="as recorded",
        catalogue=catalogue,
        fleet=told["catalogue"],
        begins=begins,
        ends=ends,
        history=begins - arrivals.start,
        source=source,
        said=tuple(told["said"]),
    )


def _demand(key: list[str]) -> DemandKey:
    origin, model, tier = key
    return DemandKey(origin=RegionName(origin), model=ModelName(model), tier=Tier.parse(tier))
