"""The built-in scenarios, each sized so that policies can differ; `docs/scenarios.md` has the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from heliostat.catalogue import parse_catalogue
from heliostat.errors import UnknownScenario
from heliostat.model.instants import Span
from heliostat.model.names import RegionName
from simulation.requests.from_rates import RequestsFromRates
from simulation.requests.rows import longest_requests
from simulation.requests.source import RequestSource
from simulation.scenarios import fleets, tenants
from simulation.scenarios.published import published_source
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.sizing import planned_seconds
from simulation.troubles import CloudTroubles
from simulation.workload.bursts import BurstTest
from simulation.workload.synthesis import synthesis_sentences
from simulation.workload.wanted import HISTORY_DAYS, WantedDemand

MONDAY = datetime(2026, 2, 2, 6, tzinfo=UTC)
"""Midnight in the middle of the US; no clock changes in the weeks before and after."""
TUESDAY = datetime(2026, 2, 3, tzinfo=UTC)
_DAY = timedelta(days=1)
_LARGE = "20 or more busy replicas per model in the busiest hour by the planner's θ"
_NO_RETRIES = "Who is turned away does not come back."


def built_in(name: str, *, data: Path | None = None) -> Scenario:
    """The built-in scenario of that name.

    `data` is the folder of public data, which `tenants` needs. Raises UnknownScenario, DataMissing.
    """
    maker = _BUILT_IN.get(name)
    if maker is None:
        raise UnknownScenario(name, remedy=f"built in are {', '.join(built_in_names())}")
    return maker(data)


def built_in_names() -> tuple[str, ...]:
    """What `built_in` knows."""
    return tuple(_BUILT_IN)


def _week(_: Path | None) -> Scenario:
    return _published(
        "week",
        fleets.us_fleet(least=2),
        begins=MONDAY,
        days=7,
        busy=20.3,
        description="SageServe's week: three US regions, four models, the published shapes.",
        sized_for=f"{_LARGE}, within 10 million requests",
    )


def _small(_: Path | None) -> Scenario:
    return _published(
        "small",
        fleets.us_fleet(least=1),
        begins=MONDAY,
        days=7,
        busy=2.4,
        description="The week of a fleet an eighth as large: floors decide, policies hardly differ.",
        sized_for="2 to 3 busy replicas per model in the busiest hour by the planner's θ",
    )


def _day(_: Path | None) -> Scenario:
    return _published(
        "day",
        fleets.globe_fleet(),
        begins=TUESDAY,
        days=1,
        busy=22.5,
        description="A working day round the globe: three regions, four models on A100s and H100s.",
        sized_for=f"{_LARGE}; about 7.5 million requests",
    )


def _burst(_: Path | None) -> Scenario:
    return _published(
        "burst",
        fleets.us_fleet(least=2),
        begins=MONDAY + _DAY,
        days=2,
        busy=20.3,
        burst=BurstTest(),
        description="SageServe's burst test: from hour 25 on each hour's first minute holds 8 times "
        "its requests.",
        sized_for=f"{_LARGE}, bursts on top",
    )


def _outage(_: Path | None) -> Scenario:
    lost = RegionName("eastus")
    begins = MONDAY + _DAY
    # The published day peaks at half past one local time, which is hour 18:30 of UTC in February.
    outage = Span(begins + timedelta(hours=11.5), begins + timedelta(hours=13.5))
    scenario = _published(
        "outage",
        fleets.us_fleet(least=2),
        begins=begins,
        days=1,
        busy=22,
        description="The largest region is lost for two hours at its peak, with every replica in it.",
        sized_for=f"{_LARGE}; quotas let the other two regions carry all",
    )
    troubles = {lost: CloudTroubles(outages=(outage,))}
    said = f"{lost} is lost from {outage.start:%H:%M} to {outage.end:%H:%M} UTC."
    return replace(scenario, troubles=troubles, said=(*scenario.said, said))


def _tenants(data: Path | None) -> Scenario:
    trace = tenants.tenants_trace(data)
    fleet = fleets.tenants_fleet()
    catalogue = parse_catalogue(fleet)
    wanted = tenants.tenants_wanted(catalogue, 20.5, seed=0)

    def source(seed: int) -> RequestSource:
        return RequestsFromRates(
            tenants.tenants_demand(trace, catalogue, wanted.busy_replicas, seed).arrivals,
            begins=wanted.begins,
            lengths=wanted.laws(catalogue),
            seed=seed,
            longest=longest_requests(catalogue),
        )

    said = tenants.tenants_demand(trace, catalogue, wanted.busy_replicas, 0).said
    return Scenario(
        name="tenants",
        description="ServeGen's 205 tenants, whole, in three regions round the globe, with their holes.",
        sized_for=f"{_LARGE}; spikes of single tenants make the peak",
        catalogue=catalogue,
        fleet=fleet,
        begins=wanted.begins,
        ends=wanted.begins + timedelta(days=wanted.days),
        history=timedelta(days=wanted.history_days),
        source=source,
        said=(*said, _NO_RETRIES, "Seeds draw the requests; tenants, homes and holes stay."),
    )


def _published(
    name: str,
    fleet: fleets.Fleet,
    *,
    begins: datetime,
    days: int,
    busy: float,
    description: str,
    sized_for: str,
    burst: BurstTest | None = None,
) -> Scenario:
    catalogue = parse_catalogue(fleet)
    wanted = WantedDemand(
        begins=begins,
        days=days,
        history_days=HISTORY_DAYS,
        busy_replicas=busy,
        seed=0,
        seconds_of=planned_seconds(catalogue),
        shared_bursts=True,
    )
    return Scenario(
        name=name,
        description=description,
        sized_for=sized_for,
        catalogue=catalogue,
        fleet=fleet,
        begins=begins,
        ends=begins + timedelta(days=days),
        history=timedelta(days=HISTORY_DAYS),
        source=published_source(catalogue, wanted, burst),
        said=(*synthesis_sentences(catalogue, busy), _NO_RETRIES),
    )


_BUILT_IN: Mapping[str, Callable[[Path | None], Scenario]] = {
    "week": _week,
    "day": _day,
    "burst": _burst,
    "outage": _outage,
    "tenants": _tenants,
    "small": _small,
}
