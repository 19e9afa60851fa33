"""The fluid engine behind the EngineModel port: routes, serves, measures and reports each minute.

What is approximated: requests of a minute arrive evenly; pools of a model in a region share one queue
per tier; a tier's token counts are their mean spread by a fixed law; latencies are sampled at
sixteen points; the state inside a minute is steady. Counts and tokens are exact: what is offered is
admitted or shed, what is admitted completes, and every token is booked once.
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
from heliostat.model.names import DemandKey, PoolKey, RegionName, Tier
from heliostat.model.routing import RoutingTable
from heliostat.model.usage import WINDOW, UsageWindow
from simulation.arrivals import ArrivalRates
from simulation.columns import Floats
from simulation.engine import PoolGauge, ReplicaChange, TierLatencies, TierTally
from simulation.fluid.books import Books
from simulation.fluid.gateways import Gateways
from simulation.fluid.gauges import read_gauges
from simulation.fluid.grid import Grid
from simulation.fluid.latency import Latencies, Start
from simulation.fluid.lattice import prompt_factors, samples
from simulation.fluid.offered import is_known, offered_in
from simulation.fluid.presence import Presence
from simulation.fluid.promises import Promises
from simulation.fluid.queue import Queue
from simulation.fluid.service import MINUTE_SECONDS, Served, Service

LONGEST_STAY = 4.0
"""A draining replica's last request stays this many mean stays (about the largest of fifty)."""


class FluidEngine:
    """Implements `simulation.engine.EngineModel`."""

    def __init__(
        self, catalogue: FleetCatalogue, arrivals: ArrivalRates, *, with_sketches: bool = True
    ) -> None:
        """Without sketches nothing carries latencies, which costs a third less; accounts do not
        change."""
        self._arrivals = arrivals
        self._with_sketches = with_sketches
        self._presence = Presence(pool.key for pool in catalogue.pools)
        self._grid = Grid(catalogue)
        self._promises = Promises(self._grid)
        self._gateways = Gateways(self._grid)
        self._service = Service(self._grid, prompt_factors())
        self._latencies = Latencies(self._grid, self._promises, with_sketches=with_sketches)
        self._queue = Queue.empty(self._grid.shape)
        self._books = Books(self._grid)
        self._busy = self._grid.pools({})
        self._stay = self._grid.pools({})
        self._gauges: dict[PoolKey, PoolGauge] = {}
        self._finishing: dict[str, datetime] = {}

    @property
    def step(self) -> timedelta:
        return WINDOW

    @property
    def span(self) -> Span:
        return self._arrivals.span

    def known(self, origin: RegionName, minute: datetime) -> bool:
        return is_known(self._arrivals, origin, minute)

    def serve(
        self,
        span: Span,
        *,
        changes: Sequence[ReplicaChange],
        tables: Mapping[RegionName, RoutingTable],
    ) -> tuple[UsageWindow, ...]:
        """Raises InvalidInput for anything but one minute."""
        if span.length != WINDOW:
            raise InvalidInput(
                "span", f"{span.length} is not the minute that a fluid engine serves"
            )
        ready_replicas = self._presence.means(span, changes)
        ready = self._grid.pools(ready_replicas)
        split = self._gateways.split(offered_in(self._arrivals, span.start), tables, ready)
        wanted = self._queue.joined_by(split)
        prompt, output = wanted.mean_tokens(self._promises)
        served = self._service.minute(wanted.requests.sum(axis=-1), prompt, output, ready)
        left = wanted.after(served)
        impatient = left.impatient(split.offered, served, self._promises)
        self._queue = left.without(impatient)
        waits = self._latencies.waits(served, ready)

        self._books.arrive(span.start, split, impatient)
        second = to_epoch(span.start)
        starts = self._starts(second, wanted.requests, served, (prompt, output))
        if starts:
            met = self._latencies.book(starts, served, waits, samples(second // 60))
            self._books.keep(starts, met)
        self._books.complete(second + MINUTE_SECONDS, self._stays(served))
        self._measure(served, ready, ready_replicas, waits[0])
        return self._books.report()

    def tallies(self) -> Mapping[DemandKey, TierTally]:
        return self._books.tallies()

    def offered(self) -> int:
        return self._books.offered()

    def busy_seconds(self, pool: PoolKey) -> float:
        return float(self._busy[self._grid.place(pool)])

    def latencies(self, tier: Tier) -> TierLatencies | None:
        return self._books.latencies(tier) if self._with_sketches else None

    def gauge(self, pool: PoolKey) -> PoolGauge | None:
        return self._gauges.get(pool)

    def batch_backlog(self, region: RegionName) -> tuple[BatchBacklog, ...]:
        """Not measured: the fluid keeps no deadlines."""
        return ()

    def finishes_at(self, pool: PoolKey, replica_id: str, now: datetime) -> datetime:
        known = self._finishing.pop(replica_id, None)
        if known is not None and known <= now:
            return now
        stay = math.ceil(LONGEST_STAY * float(self._stay[self._grid.place(pool)]))
        self._finishing[replica_id] = known or now + timedelta(seconds=stay)
        return self._finishing[replica_id]

    # --- inside --------------------------------------------------------------------------------

    def _starts(
        self, second: int, wanted: Floats, served: Served, tokens: tuple[Floats, Floats]
    ) -> list[Start]:
        """What starts in the minute from `second`, window by window."""
        of_tier = np.maximum(wanted.sum(axis=-1), 1e-12)
        starting = wanted * np.minimum(1.0, served.requests / of_tier)[..., None]
        starts = []
        for place in map(tuple, np.argwhere(starting > 0).tolist()):
            r, m, k, o = place
            ledger = self._books.ledger((r, m, k, o))
            ahead = ledger.started
            emptied = bool(self._queue.requests[r, m, k, o] <= 0)
            chunks = ledger.start(float(starting[place]), second, emptied=emptied)
            starts += [
                Start(
                    chunk=chunk,
                    place=(r, m, k, o),
                    window_second=float(to_epoch(chunk.window.start) - second),
                    ahead=ahead,
                    most=float(served.most[r, m, k] * wanted[place] / of_tier[r, m, k]),
                    prompt=float(tokens[0][r, m, k]),
                    output=float(tokens[1][r, m, k]),
                )
                for chunk in chunks
            ]
        return starts

    def _stays(self, served: Served) -> Floats:
        """(R, M, K) mean seconds from start to last token, over the VM types that serve the tier."""
        total = np.maximum(served.requests, 1e-12)
        stays: Floats = (served.by_pool * served.residence[..., None]).sum(axis=2) / total
        return stays

    def _measure(
        self,
        served: Served,
        ready: Floats,
        ready_replicas: Mapping[PoolKey, float],
        waits: Floats,
    ) -> None:
        self._busy += served.load * ready * MINUTE_SECONDS
        self._stay = np.where(served.by_pool.sum(axis=-1) > 0, served.residence, 0.0)
        self._gauges = read_gauges(
            self._grid,
            self._promises,
            served,
            waiting=self._queue.requests.sum(axis=-1),
            waits=waits,
            ready=ready_replicas,
        )
