"""Builds a trace from a scenario file: the requests of one seed, and their history beside them.

`week.parquet` holds requests and, in its metadata, fleet, troubles and target; `week.history.parquet`
what came before, by minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from heliostat.errors import InvalidTrace
from heliostat.model.instants import Span
from simulation.requests.writing import OnWritten, write_requests
from simulation.scenarios.finding import BUILT_SUFFIX
from simulation.scenarios.from_spec import scenario_of
from simulation.scenarios.notes import SCENARIO_NOTE, ScenarioNotes
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.spec import PublishedDemand, ScenarioSpec
from simulation.scenarios.spec_file import read_spec
from simulation.workload.convert import arrivals_as_series, write_series
from simulation.workload.load import OnRows
from simulation.workload.target import TargetSpec, published_target

OnBegun = Callable[[Span], None]
"""Told what span is going to be written, once that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltTrace:
    """What was written; `history` is None when there is none."""

    path: Path
    history: Path | None
    seed: int
    requests: int
    begins: datetime
    ends: datetime
    said: tuple[str, ...]


def build_trace(
    spec_path: Path,
    target: Path,
    *,
    seed: int | None = None,
    on_rows: OnRows | None = None,
    on_begun: OnBegun | None = None,
    on_written: OnWritten | None = None,
) -> BuiltTrace:
    """Write the requests that a scenario file asks for; the same file and seed give the same requests.

    `seed` overrules the file's. Raises InvalidScenario, InvalidCatalogue, InvalidTrace, DataMissing.
    """
    spec = read_spec(spec_path)
    _check_target(target, spec_path)
    seed = spec.seed if seed is None else seed
    scenario = scenario_of(spec, spec_path, on_rows)
    if on_begun:
        on_begun(scenario.span)
    source = scenario.source(seed)
    past = source.history()
    history = target.with_name(f"{target.stem}.history{BUILT_SUFFIX}") if past.minutes else None
    notes = _notes(spec, scenario, seed, history.name if history else "")
    count = write_requests(
        source, target, notes={SCENARIO_NOTE: notes.model_dump_json()}, on_written=on_written
    )
    if history:
        write_series(arrivals_as_series(past), history, {"kind": "history", "seed": str(seed)})
    return BuiltTrace(
        path=target,
        history=history,
        seed=seed,
        requests=count,
        begins=scenario.begins,
        ends=scenario.ends,
        said=scenario.said,
    )


def _check_target(target: Path, spec_path: Path) -> None:
    """A trace replaces what stands there: not its own spec, and no device."""
    if target.exists() and not target.is_file():
        raise InvalidTrace(str(target), "is not a file: a trace cannot be written there")
    if target.resolve() == spec_path.resolve():
        raise InvalidTrace(str(target), "is the scenario file itself", remedy="choose another file")
    if target.suffix != BUILT_SUFFIX:
        raise InvalidTrace(
            str(target),
            "would not be recognised: a built trace needs its file extension",
            remedy=f"call it {target.stem}{BUILT_SUFFIX}",
        )


def _notes(spec: ScenarioSpec, scenario: Scenario, seed: int, history: str) -> ScenarioNotes:
    return ScenarioNotes(
        name=scenario.name,
        description=scenario.description,
        sized_for=scenario.sized_for,
        seed=seed,
        fleet=dict(scenario.fleet),
        mix={str(tier): share for tier, share in scenario.mix.items()},
        usable_share=scenario.usable_share,
        troubles=spec.troubles,
        warm_vms=spec.warm_vms,
        retries=spec.retries,
        said=list(scenario.said),
        history=history,
        target=_target(spec, scenario),
    )


def _target(spec: ScenarioSpec, scenario: Scenario) -> TargetSpec | None:
    """As the file says, else what is published of the shapes."""
    if spec.target is None and isinstance(spec.demand, PublishedDemand):
        return published_target(scenario.catalogue)
    return spec.target
