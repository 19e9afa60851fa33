"""The built-in scenarios, each sized so that policies can differ; `docs/scenarios.md` has the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from heliostat.catalogue import parse_catalogue
from heliostat.errors import UnknownScenario
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from simulation.scenarios import fleets, tenants
from simulation.scenarios.drawn import published_source, tenants_source
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.sizing import planned_seconds
from simulation.troubles import CloudTroubles
from simulation.workload.bursts import BurstTest
from simulation.workload.fit import fit_to_fleet
from simulation.workload.synthesis import synthesis_sentences
from simulation.workload.wanted import HISTORY_DAYS, WantedDemand

MONDAY = datetime(2026, 2, 2, 6, tzinfo=UTC)
"""Midnight in the middle of the US; no clock changes in the weeks before and after."""
_DAY = timedelta(days=1)
_LARGE = "20 or more busy replicas per model in the busiest hour by the planner's θ"
_NO_RETRIES = "Rejected requests do not return."
TENANTS_BUSY = 20.5
_TENANTS = (
    "ServeGen's 205 tenants, unsplit, in three regions around the globe, with their data gaps."
)


def built_in(name: str, *, data: Path | None = None) -> Scenario:
    """The built-in scenario of that name.

    `data` is the folder of public data, which `tenants` needs. Raises UnknownScenario, DataMissing,
    InvalidTrace.
    """
    if name == "tenants":
        return _tenants(data)
    shaped = _SHAPED.get(name)
    if shaped is None:
        raise UnknownScenario(name, remedy=f"built in are {', '.join(built_in_names())}")
    return _published(name, shaped)


def built_in_names() -> tuple[str, ...]:
    """What `built_in` knows."""
    return (*_SHAPED, "tenants")


def built_in_descriptions() -> Mapping[str, str]:
    """What each of them is, in a sentence."""
    return {name: shaped.description for name, shaped in _SHAPED.items()} | {"tenants": _TENANTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shaped:
    """A scenario in published shapes; `busy` replicas per model in the busiest hour of a mean week."""

    description: str
    sized_for: str
    fleet: Callable[[], fleets.Fleet]
    begins: datetime
    days: int
    busy: float
    burst: BurstTest | None = None
    lost: tuple[RegionName, float, float] | None = None
    """A region that is lost, so many hours after the begin, for so many hours."""


_SHAPED: Mapping[str, _Shaped] = {
    "week": _Shaped(
        description="SageServe's week: three US regions, four models, the published shapes.",
        sized_for=f"{_LARGE}, within 10 million requests",
        fleet=partial(fleets.us_fleet, least=2),
        begins=MONDAY,
        days=7,
        busy=20.0,
    ),
    "day": _Shaped(
        description="A working day around the globe: three regions, four models on A100s and H100s.",
        sized_for=f"{_LARGE}; about 7.5 million requests",
        fleet=fleets.globe_fleet,
        begins=datetime(2026, 2, 3, tzinfo=UTC),
        days=1,
        busy=22.5,
    ),
    "burst": _Shaped(
        description="SageServe's burst test: from hour 25 on, each hour's first minute has 8 times "
        "its requests.",
        sized_for=f"{_LARGE}, bursts on top",
        fleet=partial(fleets.us_fleet, least=2),
        begins=MONDAY + _DAY,
        days=2,
        busy=20.0,
        burst=BurstTest(),
    ),
    "outage": _Shaped(
        description="The largest region is lost for two hours at its peak, with every replica in it.",
        sized_for=f"{_LARGE}; quotas allow the other two regions to carry all load",
        fleet=partial(fleets.us_fleet, least=2),
        begins=MONDAY + _DAY,
        days=1,
        busy=22,
        # The published day peaks at half past one local time: 18:30 UTC in February.
        lost=(RegionName("eastus"), 11.5, 2.0),
    ),
    "small": _Shaped(
        description="The week of a fleet an eighth as large: minimum replicas are most of what a good policy "
        "bills.",
        sized_for="2 to 3 busy replicas per model in the busiest hour by the planner's θ",
        fleet=partial(fleets.us_fleet, least=1),
        begins=MONDAY,
        days=7,
        busy=2.4,
    ),
}


def _published(name: str, shaped: _Shaped) -> Scenario:
    fleet = shaped.fleet()
    catalogue = parse_catalogue(fleet)
    wanted = WantedDemand(
        begins=shaped.begins,
        days=shaped.days,
        history_days=HISTORY_DAYS,
        busy_replicas=shaped.busy,
        seed=0,
        seconds_of=planned_seconds(catalogue),
    )
    said = [*synthesis_sentences(catalogue, shaped.busy), _NO_RETRIES]
    troubles: dict[RegionName, CloudTroubles] = {}
    if shaped.lost:
        region, after, hours = shaped.lost
        start = shaped.begins + timedelta(hours=after)
        outage = Span(start, start + timedelta(hours=hours))
        troubles[region] = CloudTroubles(outages=(outage,))
        said.append(f"{region} is lost from {outage.start:%H:%M} to {outage.end:%H:%M} UTC.")
    return Scenario(
        name=name,
        description=shaped.description,
        sized_for=shaped.sized_for,
        catalogue=catalogue,
        fleet=fleet,
        begins=wanted.begins,
        ends=wanted.begins + _DAY * wanted.days,
        history=_DAY * wanted.history_days,
        source=published_source(catalogue, wanted, shaped.burst),
        troubles=troubles,
        said=tuple(said),
    )


def _tenants(data: Path | None) -> Scenario:
    trace = tenants.tenants_trace(data)
    fleet = fleets.tenants_fleet()
    catalogue = parse_catalogue(fleet)
    wanted = tenants.tenants_wanted(catalogue, TENANTS_BUSY)
    said = fit_to_fleet(trace, catalogue, wanted).said
    return Scenario(
        name="tenants",
        description=_TENANTS,
        sized_for=f"{_LARGE}; spikes of single tenants make the peak",
        catalogue=catalogue,
        fleet=fleet,
        begins=wanted.begins,
        ends=wanted.begins + _DAY * wanted.days,
        history=_DAY * wanted.history_days,
        source=tenants_source(trace, catalogue, wanted),
        said=(*said, _NO_RETRIES, "Seeds draw the requests; tenants, homes and gaps are fixed."),
    )
