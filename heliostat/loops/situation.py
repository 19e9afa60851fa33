"""Reads the planning and routing problems of one instant from the stores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median, quantiles

from heliostat.catalogue import FleetCatalogue
from heliostat.loops.mixes import learnt_mixes
from heliostat.loops.what_if import suppose
from heliostat.model.demand import BUCKET, TokenMix
from heliostat.model.fleet import Fleet, LeadTimeSample, StartKind
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import EVERYWHERE, DemandKey, PoolKey, RegionName
from heliostat.model.plan import WhatIf
from heliostat.model.usage import WINDOW
from heliostat.ports.deciding import DemandRate, LeadTimeEstimate, PlanningProblem, RoutingProblem
from heliostat.ports.stores import Stores

ENOUGH_LEAD_TIMES = 5

_Start = tuple[PoolKey, StartKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class SituationSettings:
    """How far back the control loop looks."""

    mix_memory: timedelta = timedelta(days=1)
    recent_mix_memory: timedelta = timedelta(hours=1)
    """Requests of so lately count alone where they are no longer like those of `mix_memory`."""
    lead_time_memory: timedelta = timedelta(days=14)
    rate_memory: timedelta = timedelta(minutes=3)
    """Routes count on the mean of the minutes so long before an origin's watermark, and on none that is
    as old as this."""
    surge_memory: timedelta = timedelta(minutes=5)
    """Plans count on no less than the median minute of the last ones."""
    route_stale_after: timedelta = timedelta(minutes=5)


class ProblemReader:
    """Reads problems from the stores; decides nothing."""

    def __init__(
        self, stores: Stores, catalogue: FleetCatalogue, settings: SituationSettings
    ) -> None:
        self._stores = stores
        self._catalogue = catalogue
        self._regions = frozenset(region.name for region in catalogue.regions)
        self._settings = settings
        self._kept_mixes: tuple[datetime | None, tuple[TokenMix, ...]] = (None, ())
        self._kept_samples: tuple[LeadTimeSample, ...] | None = None
        self._kept_lead_times: tuple[LeadTimeEstimate, ...] = ()
        """Of these samples, from which they were made."""
        self._kept_starts: dict[_Start, tuple[list[LeadTimeSample], LeadTimeEstimate]] = {}

    def fleet(self, now: datetime) -> Fleet:
        """The fleet as last observed, old observations marked stale; old backlogs are left out, and so are
        regions that the catalogue has no more: nobody will report of them again."""
        stale_after = self._catalogue.guardrails.stale_after
        fleet = self._stores.fleet.fleet(now).of_regions(self._regions)
        return fleet.aged(now, stale_after).less_stale_backlogs(stale_after)

    def planning(self, now: datetime, what_if: WhatIf | None = None) -> PlanningProblem:
        """The planning problem of this instant, changed as supposed."""
        problem = PlanningProblem(
            catalogue=self._catalogue,
            at=now,
            forecasts=self._stores.forecasts.latest(now),
            mixes=self.mixes(now),
            fleet=self.fleet(now),
            lead_times=self.lead_times(now),
            overrides=self._stores.overrides.overrides(now),
            measured=self.median_rates(now),
            previous=self._stores.plans.latest_plan(),
        )
        return problem if what_if is None else suppose(problem, what_if)

    def routing(self, now: datetime) -> RoutingProblem:
        """The routing problem of this instant."""
        return RoutingProblem(
            catalogue=self._catalogue,
            at=now,
            fleet=self.fleet(now),
            plan=self._stores.plans.latest_plan(),
            demand=self.rates(now),
            mixes=self.mixes(now),
            modes=self._stores.modes.modes(),
            previous=self._stores.routing.latest_tables(),
            stale_after=self._settings.route_stale_after,
        )

    def mixes(self, now: datetime) -> tuple[TokenMix, ...]:
        """Token mixes of every demand, and of every model and tier over all origins: as measured lately,
        else as the catalogue assumes.

        Measured over whole buckets that ended a bucket ago, which every source has reported by then:
        so a day's mixes are read once a bucket, however often routes are made. Where the requests of
        the last hour have other lengths than the day's, the hour counts: forecasts are of tokens, and
        tokens of long requests would hide how many short ones come.
        """
        end = floor_to(now, BUCKET) - BUCKET
        measured = self._measured_mixes(end)
        own = (mix for mix in measured if mix.origin != EVERYWHERE)
        return (*self._catalogue.mixes(measured).values(), *own)

    def lead_times(self, now: datetime) -> tuple[LeadTimeEstimate, ...]:
        """Lead times per pool and start kind: as measured, else the catalogue's prior."""
        samples = self._stores.fleet.lead_times(now - self._settings.lead_time_memory)
        if samples != self._kept_samples:
            measured: dict[_Start, list[LeadTimeSample]] = defaultdict(list)
            for sample in samples:
                measured[sample.pool, sample.start_kind].append(sample)
            starts = [(pool.key, kind) for pool in self._catalogue.pools for kind in StartKind]
            self._kept_lead_times = tuple(
                self._start(start, measured.get(start, [])) for start in starts
            )
            self._kept_samples = samples
        return self._kept_lead_times

    def rates(self, now: datetime) -> tuple[DemandRate, ...]:
        """Requests per second offered lately, less retries, per origin, model and tier: the mean of the
        reported minutes of `rate_memory` before the watermark of the origin.

        Not measured where the origin reported no minute that late.
        """
        newest, memory = floor_to(now, WINDOW), self._settings.rate_memory
        ends = self._reported_until(now, later_than=newest - memory)
        minutes = self._minutes({origin: Span(end - memory, end) for origin, end in ends.items()})
        return tuple(_mean_rate(key, minutes[key]) for key in self._catalogue.demands)

    def median_rates(self, now: datetime) -> tuple[DemandRate, ...]:
        """Requests per second offered in the median minute of the last few, less retries, per demand.

        Not measured where half of these minutes or fewer were reported.
        """
        memory = self._settings.surge_memory
        start = floor_to(now, WINDOW) - memory
        ends = self._reported_until(now, later_than=start)
        minutes = self._minutes({origin: Span(start, end) for origin, end in ends.items()})
        return tuple(
            _median_rate(key, minutes[key], enough=memory / WINDOW / 2)
            for key in self._catalogue.demands
        )

    def _reported_until(self, now: datetime, *, later_than: datetime) -> dict[RegionName, datetime]:
        """The watermarks later than that, none later than the minute that runs: a gateway's clock may
        be ahead."""
        newest = floor_to(now, WINDOW)
        return {
            origin: min(newest, until)
            for origin, until in self._stores.usage.watermark(now).items()
            if until > later_than
        }

    def _minutes(self, spans: Mapping[RegionName, Span]) -> dict[DemandKey, list[int]]:
        """Of every demand the requests, less retries, in each minute of its origin's span that anyone
        there reported: a series absent from such a minute had none, a minute that nobody reported is
        left out (docs/decisions/0004)."""
        offered: Mapping[DemandKey, Mapping[datetime, int]] = {}
        if spans:
            start, end = min(s.start for s in spans.values()), max(s.end for s in spans.values())
            offered = self._stores.usage.net_offered(Span(start, end))
        heard: dict[RegionName, set[datetime]] = defaultdict(set)
        for demand, counts in offered.items():
            heard[demand.origin].update(counts)
        reported = {
            origin: [minute for minute in heard[origin] if minute in span]
            for origin, span in spans.items()
        }
        found: dict[DemandKey, list[int]] = {}
        for key in self._catalogue.demands:
            counts = offered.get(key, {})
            found[key] = [counts.get(minute, 0) for minute in reported.get(key.origin, ())]
        return found

    def _measured_mixes(self, end: datetime) -> tuple[TokenMix, ...]:
        kept_end, kept = self._kept_mixes
        if kept_end != end:
            usage, settings = self._stores.usage, self._settings
            steady = usage.token_mixes(Span(end - settings.mix_memory, end))
            recent = usage.token_mixes(Span(end - settings.recent_mix_memory, end))
            kept = learnt_mixes(steady, recent)
            self._kept_mixes = (end if kept else None, kept)
        return kept

    def _start(self, start: _Start, samples: list[LeadTimeSample]) -> LeadTimeEstimate:
        """Of the same samples as before the same estimate: two weeks hold thousands of them."""
        kept = self._kept_starts.get(start)
        if kept is None or kept[0] != samples:
            kept = self._kept_starts[start] = (samples, self._estimate(*start, samples))
        return kept[1]

    def _estimate(
        self, pool: PoolKey, kind: StartKind, samples: list[LeadTimeSample]
    ) -> LeadTimeEstimate:
        if len(samples) < ENOUGH_LEAD_TIMES:
            return LeadTimeEstimate.assumed(pool, self._catalogue, kind)
        tenths = quantiles((s.lead_time.total_seconds() for s in samples), n=10, method="inclusive")
        return LeadTimeEstimate(
            pool=pool,
            start_kind=kind,
            p50=timedelta(seconds=round(tenths[4])),
            p90=timedelta(seconds=round(tenths[8])),
            samples=len(samples),
        )


def _mean_rate(demand: DemandKey, minutes: list[int]) -> DemandRate:
    """Of requests in each reported minute; not measured without any."""
    seconds = len(minutes) * WINDOW.total_seconds()
    rate = sum(minutes) / seconds if minutes else 0.0
    return DemandRate(demand=demand, requests_per_second=rate, measured=bool(minutes))


def _median_rate(demand: DemandKey, minutes: list[int], *, enough: float) -> DemandRate:
    """Of requests in each reported minute; not measured with `enough` of them or fewer."""
    known = len(minutes) > enough
    rate = median(minutes) / WINDOW.total_seconds() if known else 0.0
    return DemandRate(demand=demand, requests_per_second=rate, measured=known)
