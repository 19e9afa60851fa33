"""The event engine behind the EngineModel port: single requests, one virtual-time batch per replica.

Counts, tokens and outcomes are exact; `docs/simulator-design.md` says what is modelled. Between two
events of a replica nothing is computed, so a step costs in proportion to its requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.fleet import BatchBacklog
from heliostat.model.instants import Span, to_epoch
from heliostat.model.latency import LatencySketch
from heliostat.model.names import DemandKey, PoolKey, RegionName, Tier
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import WINDOW, UsageWindow
from simulation.clients import Clients
from simulation.engine import PoolGauge, ReplicaChange, TierLatencies, TierTally
from simulation.event import gauging, machine
from simulation.event.arrays import Records, empty_list, longer
from simulation.event.calendar import MOST_REQUESTS
from simulation.event.layout import BUCKETS, KINDS, LOWEST_BUCKET
from simulation.event.orders import ORDERS
from simulation.event.reporting import Reporting
from simulation.event.roster import Roster
from simulation.event.setting import TIER_LIST, Places, lay_out
from simulation.event.sharing import Sharing
from simulation.event.waiting_batch import WaitingBatch
from simulation.local_policy import LocalPolicy
from simulation.requests.columns import RequestColumns, no_requests
from simulation.requests.source import RequestSource

STEP = timedelta(seconds=30)
_FIRST_IN_FLIGHT = 1024


class EventEngine:
    """Implements `simulation.engine.EngineModel` on single requests."""

    def __init__(
        self,
        catalogue: FleetCatalogue,
        source: RequestSource,
        local_policy: LocalPolicy | None = None,
        seed: int = 0,
        *,
        clients: Clients | None = None,
        step: timedelta = STEP,
        with_sketches: bool = False,
    ) -> None:
        """`step` divides a minute; routes change between steps. With sketches windows carry latencies.

        Raises InvalidInput for a step that does not, or a demand that the catalogue does not offer;
        UnknownRegion, UnknownModel.
        """
        if step <= timedelta(0) or WINDOW % step or step % timedelta(seconds=1):
            raise InvalidInput("step", f"{step} is not whole seconds that divide a minute")
        policy = local_policy or LocalPolicy()
        self._source, self._step = source, step
        self._places = places = Places(catalogue)
        self._arrays = lay_out(places, source.demands, policy, clients or Clients(), seed)
        empty_list(self._arrays, "requests", "free_request", _FIRST_IN_FLIGHT)
        longer(self._arrays, "absences", _FIRST_IN_FLIGHT)
        self._roster = Roster(places, self._arrays, policy)
        self._reporting = Reporting(places, self._arrays, with_sketches=with_sketches)
        self._sharing = Sharing(places, source.demands)
        self._waiting_batch = WaitingBatch(places, self._arrays, source.start)
        self._key = ORDERS[policy.order].key
        self._gauges: Records = np.zeros((max(1, len(places.pools)), gauging.COLUMNS))
        self._served_until = source.start

    @property
    def step(self) -> timedelta:
        return self._step

    @property
    def span(self) -> Span:
        return self._source.span

    def known(self, origin: RegionName, minute: datetime) -> bool:
        return self._source.known(origin, minute)

    def serve(
        self,
        span: Span,
        *,
        changes: Sequence[ReplicaChange],
        tables: Mapping[RegionName, RoutingTable],
    ) -> tuple[UsageWindow, ...]:
        """Raises InvalidInput for anything but one step, for requests that break a rule, and when more
        are in flight than there is room for."""
        if span.length != self._step:
            raise InvalidInput("span", f"{span.length} is not the step of {self._step}")
        begin, end = (self._seconds(at) for at in (span.start, span.end))
        minute = to_epoch(span.start) // 60
        if span.start.second == 0 or self._served_until != span.start:
            self._reporting.begin(minute)
        self._roster.write_down(changes, self._source.start)
        if any(change.at <= span.start for change in changes):
            machine.step(
                self._arrays.world, self._key, _as_arrays(no_requests()), begin, begin, False
            )
        self._share(tables)
        columns = self._source.between(span.start, span.end)
        self._make_room_for(len(columns), span)
        ends_minute = span.end.second == 0
        machine.step(self._arrays.world, self._key, _as_arrays(columns), begin, end, ends_minute)
        machine.gauge(self._arrays.world, end, self._gauges)
        self._served_until = span.end
        return self._reporting.told(minute) if ends_minute else ()

    def tallies(self) -> Mapping[DemandKey, TierTally]:
        rows = zip(self._source.demands, self._arrays["demands"], strict=False)
        return {key: _tally(row) for key, row in rows if row["offered"]}

    def offered(self) -> int:
        return int(self._arrays["demands"]["offered"].sum())

    def busy_seconds(self, pool: PoolKey) -> float:
        place = self._places.pool_at[pool]
        return float(self._gauges[place, gauging.WORK] + self._roster.retired_work[place])

    def latencies(self, tier: Tier) -> TierLatencies | None:
        place = TIER_LIST.index(tier)
        counts = self._arrays["latencies"].reshape(-1, KINDS, BUCKETS)[place]
        ttft, itl, e2e = (
            LatencySketch({int(b) + LOWEST_BUCKET: int(row[b]) for b in np.flatnonzero(row)})
            for row in counts
        )
        return TierLatencies(ttft=ttft, itl=itl, e2e=e2e)

    def gauge(self, pool: PoolKey) -> PoolGauge | None:
        row: list[float] = self._gauges[self._places.pool_at[pool]].tolist()
        ready = row[gauging.READY]
        if not ready:
            return None
        memory = row[gauging.MEMORY_SHARE] / ready
        fullest = max(memory, row[gauging.BUSY_SHARE] / ready, row[gauging.DELAY] / ready)
        return PoolGauge(
            running_requests=int(row[gauging.RUNNING]),
            waiting_requests=int(row[gauging.WAITING]),
            utilisation=round(fullest, 6),
            kv_occupancy=round(memory, 6),
            interactive_busy_replicas=int(row[gauging.INTERACTIVE]),
            running_batch_requests=int(row[gauging.RUNNING_BATCH]),
        )

    def batch_backlog(self, region: RegionName) -> tuple[BatchBacklog, ...]:
        return self._waiting_batch.of(region, self._served_until)

    def finishes_at(self, pool: PoolKey, replica_id: str, now: datetime) -> datetime:
        slot = self._roster.slot(replica_id)
        if slot is None:
            return now
        at = self._seconds(now)
        done = machine.drain(self._arrays.world, slot, at)
        return now + timedelta(seconds=max(0, math.ceil(done - at)))

    # --- inside --------------------------------------------------------------------------------

    def _seconds(self, at: datetime) -> float:
        return (at - self._source.start).total_seconds()

    def _share(self, tables: Mapping[RegionName, RoutingTable]) -> None:
        ready = self._arrays["cells"]["ready"].reshape(len(self._places.regions), -1)
        shares = self._sharing.shares(tables, ready > 0)
        self._arrays["shares"][: shares.size] = shares.ravel()

    def _make_room_for(self, arrivals: int, span: Span) -> None:
        arrays = self._arrays
        needed = arrays.scalar("in_flight") + arrivals
        if needed >= MOST_REQUESTS:
            raise InvalidInput(
                "requests",
                f"{needed:,} would be in flight at {span.start.isoformat()}, at most {MOST_REQUESTS:,} fit",
                remedy="the fleet is too small for this workload",
            )
        rows = len(arrays["requests"])
        if needed > rows:
            rows = max(2 * rows, needed)
            arrays.grow_list("requests", "free_request", rows)
            longer(arrays, "absences", rows)


def _as_arrays(columns: RequestColumns) -> tuple[Records, ...]:
    """The columns as compiled code takes them."""
    wanted = (
        (columns.arrival_seconds, np.float64),
        (columns.demand, np.int16),
        (columns.input_tokens, np.int32),
        (columns.output_tokens, np.int32),
    )
    return tuple(np.require(column, kind, ["C", "W"]) for column, kind in wanted)


def _tally(row: Records) -> TierTally:
    counts = {
        name: int(row[name])
        for name in ("offered", "shed", "completed", "retried", "lost", "preempted", "evicted")
    }
    return TierTally(
        **counts,
        admitted=counts["offered"] - counts["shed"],
        input_tokens=int(row["input"]),
        output_tokens=int(row["output"]),
        started=counts["completed"] + int(row["late"]),
        met=int(row["met"]),
        reachable=int(row["reachable"]),
    )
