"""Makes a scenario out of a checked spec: its fleet, its requests by seed, its troubles in instants."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.errors import DataMissing, InvalidCatalogue, InvalidScenario
from heliostat.model.names import ModelName, RegionName, VmTypeName
from simulation.requests.from_trace import TraceRequests
from simulation.requests.later import BegunLater
from simulation.requests.rows import RowHomes
from simulation.requests.source import RequestSource
from simulation.scenarios import fleets
from simulation.scenarios.drawn import SourceOf, published_source, tenants_source
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.sizing import planned_seconds
from simulation.scenarios.spec import (
    PublishedDemand,
    RequestsDemand,
    ScenarioSpec,
    SeriesDemand,
    retry_rule,
    shares_of,
)
from simulation.scenarios.spec_file import Place, complaint, read_spec
from simulation.workload.fit import fit_to_fleet
from simulation.workload.load import OnRows, load_trace
from simulation.workload.pools import merged
from simulation.workload.synthesis import synthesis_sentences
from simulation.workload.wanted import WantedDemand
from storage.mapping_file import read_mapping

_DAY = timedelta(days=1)
_SKIP_REMEDY = (
    "fix the row, or set `skip_bad_rows: true` under demand in the scenario file to leave such rows "
    "out, counted"
)
_FLEETS: dict[str, Callable[[], fleets.Fleet]] = {
    "us": lambda: fleets.us_fleet(least=2),
    "us-small": lambda: fleets.us_fleet(least=1),
    "globe": fleets.globe_fleet,
    "tenants": fleets.tenants_fleet,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Requests by seed, when they are simulated, and what was said of them."""

    source: SourceOf
    begins: datetime
    ends: datetime
    said: tuple[str, ...]


def scenario_in(path: Path, on_rows: OnRows | None = None) -> Scenario:
    """The scenario in a YAML file. Raises InvalidScenario, InvalidCatalogue, InvalidTrace, DataMissing."""
    return scenario_of(read_spec(path), path, on_rows)


def scenario_of(spec: ScenarioSpec, path: Path, on_rows: OnRows | None = None) -> Scenario:
    """The scenario that a spec asks for; `path` is the file that it came from."""
    fleet, catalogue = _fleet(spec, path)
    _check_names(spec, path, catalogue)
    asked = _asked(spec, path, catalogue, on_rows)
    drawn = (
        "" if isinstance(spec.demand, RequestsDemand) else f"{spec.demand.busy_replicas:g} busy "
    )
    return Scenario(
        name=spec.name,
        description=spec.description,
        sized_for=f"{drawn}replicas per model in the busiest hour" if drawn else "as recorded",
        catalogue=catalogue,
        fleet=fleet,
        begins=asked.begins,
        ends=asked.ends,
        history=_DAY * spec.past_days,
        source=asked.source,
        mix=shares_of(spec.demand.mix),
        usable_share=spec.usable_share,
        troubles={
            RegionName(region): part.troubles(asked.begins)
            for region, part in spec.troubles.items()
        },
        warm_vms={VmTypeName(vm_type): count for vm_type, count in spec.warm_vms.items()},
        retries=retry_rule(spec.retries),
        said=asked.said,
    )


def resolved(path: Path, text: str) -> Path:
    """A path in a scenario file: from the file's folder, variables filled in. Raises DataMissing."""
    filled = os.path.expandvars(text)
    if "$" in filled:
        raise DataMissing(
            f"{path}: {text} names a variable that is not set",
            remedy="set it, or write the path explicitly",
        )
    return path.parent / Path(filled).expanduser()


def _fleet(spec: ScenarioSpec, path: Path) -> tuple[fleets.Fleet, FleetCatalogue]:
    if spec.fleet is not None:
        fleet = _FLEETS[spec.fleet]()
        return fleet, parse_catalogue(fleet)
    assert spec.catalogue is not None, "a spec names its fleet in exactly one way"
    file = resolved(path, spec.catalogue)
    mapping = read_mapping(file, InvalidCatalogue)
    try:
        return mapping, parse_catalogue(mapping)
    except InvalidCatalogue as error:
        message = str(error.args[0]).removeprefix(f"{error.field}: ")
        raise InvalidCatalogue(f"{file}: {error.field}", message) from error


def _asked(
    spec: ScenarioSpec, path: Path, catalogue: FleetCatalogue, on_rows: OnRows | None
) -> _Asked:
    match spec.demand:
        case RequestsDemand() as demand:
            return _recorded(spec, path, demand, catalogue, on_rows)
        case PublishedDemand() as demand:
            wanted = _wanted(spec, demand, catalogue)
            burst = demand.burst.test() if demand.burst else None
            said = synthesis_sentences(catalogue, demand.busy_replicas, wanted.mix)
            return _drawn(spec, wanted, published_source(catalogue, wanted, burst), said)
        case SeriesDemand() as demand:
            return _tenants(spec, path, demand, catalogue, on_rows)


def _wanted(
    spec: ScenarioSpec, demand: PublishedDemand | SeriesDemand, catalogue: FleetCatalogue
) -> WantedDemand:
    assert spec.begins is not None, "checked with the spec"
    assert spec.days is not None, "checked with the spec"
    return WantedDemand(
        begins=spec.begins.astimezone(UTC),
        days=ceil(spec.days),
        history_days=spec.past_days,
        busy_replicas=demand.busy_replicas,
        seed=spec.seed,
        mix=shares_of(demand.mix),
        seconds_of=planned_seconds(catalogue),
        level_of_run=isinstance(demand, SeriesDemand),
        shared_bursts=isinstance(demand, PublishedDemand) and demand.bursts == "shared",
        lengths=demand.laws(),
    )


def _drawn(
    spec: ScenarioSpec, wanted: WantedDemand, source: SourceOf, said: tuple[str, ...]
) -> _Asked:
    """Whole days are drawn; the run may end within the last."""
    assert spec.run_length is not None, "checked with the spec"
    begins, ends = wanted.begins, wanted.begins + spec.run_length

    def cut(seed: int) -> RequestSource:
        return BegunLater(source(seed), begins=begins, ends=ends)

    is_whole = spec.run_length == _DAY * wanted.days
    return _Asked(source=source if is_whole else cut, begins=begins, ends=ends, said=said)


def _tenants(
    spec: ScenarioSpec,
    path: Path,
    demand: SeriesDemand,
    catalogue: FleetCatalogue,
    on_rows: OnRows | None,
) -> _Asked:
    pools = [
        (load_trace(resolved(path, one.path), on_rows=on_rows), one.factor) for one in demand.files
    ]
    trace = merged(pools)
    wanted = _wanted(spec, demand, catalogue)

    burst = demand.burst.test() if demand.burst else None
    source = tenants_source(trace, catalogue, wanted, burst)
    return _drawn(spec, wanted, source, fit_to_fleet(trace, catalogue, wanted).said)


def _recorded(
    spec: ScenarioSpec,
    path: Path,
    demand: RequestsDemand,
    catalogue: FleetCatalogue,
    on_rows: OnRows | None,
) -> _Asked:
    file = resolved(path, demand.path)

    def whole(seed: int, on_rows: OnRows | None = None) -> TraceRequests:
        homes = RowHomes(
            catalogue,
            models={name: ModelName(model) for name, model in demand.models.items()},
            mix=shares_of(demand.mix),
            seed=seed,
        )
        return TraceRequests(
            file, homes, skip_bad_rows=demand.skip_bad_rows, remedy=_SKIP_REMEDY, on_rows=on_rows
        )

    first = whole(0, on_rows)
    begins = first.start + _DAY * spec.past_days
    ends = first.span.end if spec.run_length is None else begins + spec.run_length
    if ends > first.span.end or begins >= ends:
        asked = "some time" if spec.days is None else f"{spec.days:g}"
        wanted = f"{spec.past_days} days of history and {asked} to simulate"
        raise InvalidScenario(
            str(path),
            f"{file} covers {first.span}, too short for {wanted}",
            remedy="lower `history_days` or `days`",
        )
    return _Asked(
        source=lambda seed: BegunLater(whole(seed), begins=begins, ends=ends),
        begins=begins,
        ends=ends,
        said=_said_of(first, file.name),
    )


def _said_of(recorded: TraceRequests, name: str) -> tuple[str, ...]:
    said = [f"{recorded.requests:,} requests of {name} as they were recorded."]
    if not recorded.says_when:
        said.append(
            f"{name} has no recording time: {recorded.start:%Y-%m-%dT%H:%MZ}, a Monday, is assumed."
        )
    if not recorded.says_whose:
        said.append(f"Origins and tiers missing in {name} are drawn by seed.")
    return tuple(said)


def _check_names(spec: ScenarioSpec, path: Path, catalogue: FleetCatalogue) -> None:
    regions = [str(region.name) for region in catalogue.regions]
    models = [str(model.name) for model in catalogue.models]
    vm_types = [str(vm_type.name) for vm_type in catalogue.vm_types]
    demand = spec.demand
    _known(path, ("troubles",), spec.troubles, regions)
    for region, part in spec.troubles.items():
        for key, named in (("shortages", part.shortages), ("evictions", part.evictions)):
            _known(path, ("troubles", region, key), [one.vm_type for one in named], vm_types)
    _known(path, ("warm_vms",), spec.warm_vms, vm_types)
    if isinstance(demand, RequestsDemand):
        for name, model in demand.models.items():
            _known(path, ("demand", "models", name), [model], models)
    else:
        _known(path, ("demand", "lengths"), demand.lengths, models)
    if spec.target is not None:
        _known(path, ("target", "models"), spec.target.models, models)


def _known(path: Path, place: Place, names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            wrong = (*place, name) if isinstance(names, dict) else place
            message = f"{name!r} is not in the fleet; known are {', '.join(known)}"
            raise complaint(path, wrong, message)
