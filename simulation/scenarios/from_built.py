"""The scenario that a built trace carries: its own requests under every seed, clouds by seed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.errors import DataMissing, InvalidCatalogue, InvalidScenario, InvalidTrace
from heliostat.model.names import RegionName, Tier, VmTypeName
from simulation.arrivals import ArrivalRates, MinuteArrivals
from simulation.requests.from_trace import TraceRequests
from simulation.requests.later import BegunLater
from simulation.requests.rows import RowHomes, catalogue_demands
from simulation.requests.source import RequestSource
from simulation.scenarios.notes import ScenarioNotes, read_notes
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.spec import retry_rule
from simulation.workload.load import OnRows, load_trace

_BUILD_AGAIN = "build the trace again from its scenario file"


def built_scenario(path: Path, on_rows: OnRows | None = None) -> Scenario:
    """The scenario in a file of `trace build`, read through once.

    Raises InvalidTrace, DataMissing when its history is not beside it, InvalidScenario when it is
    some other trace, which does not say on which fleet it is to be simulated.
    """
    notes = read_notes(path)
    if notes is None:
        raise InvalidScenario(
            str(path),
            "is a trace without a fleet",
            remedy="use it in a scenario file (docs/scenarios.md), which defines the fleet",
        )
    catalogue = _catalogue(path, notes)
    past = _history(path, notes, catalogue)
    homes = RowHomes(catalogue, models={})
    first = TraceRequests(path, homes, remedy=_BUILD_AGAIN, on_rows=on_rows)

    def source(_: int) -> RequestSource:
        whole = TraceRequests(path, homes, remedy=_BUILD_AGAIN)
        return BegunLater(whole, begins=whole.start, past=past)

    return Scenario(
        name=notes.name,
        description=notes.description,
        sized_for=notes.sized_for,
        catalogue=catalogue,
        fleet=notes.fleet,
        begins=first.start,
        ends=first.span.end,
        history=past.span.length if past else timedelta(0),
        source=source,
        mix={Tier.parse(tier): share for tier, share in notes.mix.items()},
        usable_share=notes.usable_share,
        troubles={
            RegionName(region): part.troubles(first.start)
            for region, part in notes.troubles.items()
        },
        warm_vms={VmTypeName(vm_type): count for vm_type, count in notes.warm_vms.items()},
        retries=retry_rule(notes.retries),
        said=(
            *notes.said,
            f"The requests are those of seed {notes.seed}, whatever the seed of the run.",
        ),
    )


def _catalogue(path: Path, notes: ScenarioNotes) -> FleetCatalogue:
    try:
        return parse_catalogue(notes.fleet)
    except InvalidCatalogue as error:
        raise InvalidScenario(f"{path}: scenario.fleet", str(error)) from error


def _history(path: Path, notes: ScenarioNotes, catalogue: FleetCatalogue) -> ArrivalRates | None:
    if not notes.history:
        return None
    file = path.with_name(notes.history)
    if not file.is_file():
        raise DataMissing(
            f"{path} keeps its history in {notes.history}, which does not exist",
            remedy=f"put it beside as {file}",
        )
    series = {one.series_id: one for one in load_trace(file).series}
    demands = catalogue_demands(catalogue)
    if series.keys() != {str(demand) for demand in demands}:
        raise InvalidTrace(str(file), f"does not have the {len(demands)} demands of the fleet")
    start = next(iter(series.values())).start
    assert start is not None, "a series file has a date in every bin"
    return ArrivalRates(
        start=start,
        by_demand={
            demand: MinuteArrivals(
                offered=series[str(demand)].requests,
                input_tokens=series[str(demand)].input_tokens,
                output_tokens=series[str(demand)].output_tokens,
            )
            for demand in demands
        },
    )
