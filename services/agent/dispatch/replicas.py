"""The replicas of this region as rows of `scheduling.workers`, in step with the agent's last observation.

Names in a row are `<vm type>/<replica>`: replicas of one model are told apart also across pools.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from heliostat.model.fleet import ReplicaEndpoint, Signal
from heliostat.model.names import ModelName, PoolKey, RegionName
from scheduling.laws.law import WorkerLaw
from scheduling.request import Request
from scheduling.workers import Workers
from services.agent.dispatch.laws import PoolLaws
from services.agent.dispatch.sight import Sight
from services.agent.drivers.vm.cloud import EngineReading

_MOST_REQUESTS, _MOST_OCCUPANCY = 1_000_000, 2.0
"""An engine that says more counts something else: as if it had not measured."""


@dataclass(slots=True, kw_only=True)
class Standing:
    """One replica: where it listens, what it last measured, and when (None = never)."""

    endpoint: ReplicaEndpoint
    law: WorkerLaw
    """By which its row is judged."""
    stood_at: float
    """When it was first among the replicas, in seconds."""
    reading: EngineReading | None = None
    read_at: float | None = None


class Replicas:
    """One `Workers` per model. For one thread; seconds are those of the caller."""

    def __init__(self, region: RegionName, laws: PoolLaws, *, stale_after_seconds: float) -> None:
        self._region = region
        self._laws = laws
        self._stale_after = stale_after_seconds
        self._workers: dict[ModelName, Workers] = {}
        self._standing: dict[ModelName, dict[str, Standing]] = {}
        self._pools: dict[ModelName, tuple[PoolKey, ...]] = {}
        self._standing_laws: dict[ModelName, tuple[WorkerLaw, ...]] = {}
        self._changes_seen = 0
        self._ready: dict[ModelName, tuple[int, int]] = {}
        self._unread: deque[tuple[ModelName, str, EngineReading, float]] = deque()

    # --- keeping up ----------------------------------------------------------------------------

    def see(self, sight: Sight, now: float) -> tuple[Request, ...]:
        """Be equal to the look; the requests that were booked on replicas which are gone.

        What engines measured is taken in by `read_on`, a part at a time.
        """
        lost = self.stand(sight.endpoints, now)
        self._unread = deque(
            (model, name, reading, sight.at)
            for model, standing in self._standing.items()
            for name, replica in standing.items()
            if (reading := sight.readings.get(replica.endpoint.address)) is not None
        )
        return lost

    def read_on(self, limit: int, now: float) -> None:
        """Take in what the next so many engines measured: a thousand at once would hold up every ask."""
        self._laws.renew(now)
        for _ in range(min(limit, len(self._unread))):
            self._report(*self._unread.popleft())
        self.age(now)

    def stand(self, endpoints: Iterable[ReplicaEndpoint], now: float) -> tuple[Request, ...]:
        """Be equal to these endpoints, whose engines may not have been looked at; what was lost."""
        wanted: dict[ModelName, dict[str, ReplicaEndpoint]] = {}
        for endpoint in endpoints:
            if endpoint.pool.region == self._region and self._laws.law(endpoint.pool) is not None:
                wanted.setdefault(endpoint.pool.model, {})[name_of(endpoint)] = endpoint
        lost: list[Request] = []
        self._ready.clear()
        for model in {*self._standing, *wanted}:
            lost += self._stand(model, wanted.get(model, {}), now)
        return tuple(lost)

    def age(self, now: float) -> None:
        """Signals that are too old are not fresh."""
        self._ready.clear()
        for workers in self._workers.values():
            workers.forget_reports_before(now - self._stale_after)

    @property
    def taking_in(self) -> bool:
        """True while a part of the last look is still to be read."""
        return bool(self._unread)

    def settle_errors(self) -> None:
        """Count the errors of predictions from nothing again."""
        for workers in self._workers.values():
            workers.settle_errors()

    # --- looking -------------------------------------------------------------------------------

    @property
    def models(self) -> tuple[ModelName, ...]:
        """Models that have, or had, replicas here, or were asked for, by name."""
        return tuple(sorted(self._workers))

    @property
    def any_stand(self) -> bool:
        """True when a replica is known here, of whatever model."""
        return any(self._standing.values())

    def workers(self, model: ModelName) -> Workers:
        """The model's rows; none are in use when it has no replica here."""
        found = self._workers.get(model)
        if found is None:
            found = self._workers[model] = Workers(model)
            self._standing[model] = {}
        return found

    def standing(self, model: ModelName) -> Mapping[str, Standing]:
        """The model's replicas by their names in rows."""
        return self._standing.get(model, {})

    def endpoint(self, model: ModelName, name: str) -> ReplicaEndpoint:
        """Where the replica of that name listens. Raises KeyError when it is not here."""
        return self._standing[model][name].endpoint

    def ready(self, model: ModelName) -> tuple[int, int]:
        """How many replicas accept requests with fresh signals, and how many accept at all."""
        found = self._ready.get(model)
        if found is None:
            workers = self.workers(model)
            rows = workers.rows[: workers.used]
            accepting = rows["accepting"] != 0
            fresh = int(np.count_nonzero(accepting & (rows["fresh"] != 0)))
            found = self._ready[model] = (fresh, int(accepting.sum()))
        return found

    def new(self, model: ModelName, now: float) -> int:
        """How many accept requests and nobody has looked at yet, though not for so long that a look is
        overdue: of these nothing is stale, and nothing is known."""
        return sum(
            replica.read_at is None
            and not replica.endpoint.draining
            and now - replica.stood_at <= self._stale_after
            for replica in self.standing(model).values()
        )

    def quickest_prefill_seconds(self, model: ModelName, tokens: int) -> float:
        """Of so many prompt tokens, on an idle replica of the quickest kind that stands; 0 = none stands."""
        laws = self.laws(model)
        return min((law.prefill_seconds(tokens) * (1.0 + law.error) for law in laws), default=0.0)

    def laws(self, model: ModelName) -> tuple[WorkerLaw, ...]:
        """The laws in force of the model's pools that have a replica which takes requests, by pool."""
        if self._changes_seen != self._laws.changes:
            self._changes_seen = self._laws.changes
            self._standing_laws.clear()
        found = self._standing_laws.get(model)
        if found is None:
            laws = (self._laws.law(pool) for pool in self._pools.get(model, ()))
            found = self._standing_laws[model] = tuple(law for law in laws if law is not None)
        return found

    def pace(self, model: ModelName) -> float:
        """Seconds of a decode iteration, on the mean of the model's replicas as they stand, by their laws
        without the error; 0 = there is none."""
        workers = self.workers(model)
        rows = workers.rows[: workers.used]
        if not len(rows):
            return 0.0
        sequences = np.maximum(1, rows["running"] + rows["unbooked_sequences"])
        tokens = rows["context_tokens"] + rows["unbooked_kv_tokens"]
        seconds = rows["decode_base"] + rows["decode_per_sequence"] * sequences
        return float((seconds + rows["decode_per_token"] * tokens).mean())

    def spare(self, model: ModelName, below: float) -> tuple[tuple[int, float], ...]:
        """Rows that accept, are fresh, and are used less than that, with their utilisation, the least used
        first.

        Utilisation = max(KV tokens at the predicted ends ÷ memory, sequences ÷ largest batch), what others
        booked included.
        """
        workers = self.workers(model)
        rows = workers.rows[: workers.used]
        able = np.flatnonzero((rows["accepting"] != 0) & (rows["fresh"] != 0))
        some = rows[able]
        sequences = some["running"] + some["waiting"] + some["unbooked_sequences"]
        tokens = some["kv_peak_tokens"] + some["unbooked_kv_tokens"]
        used = np.maximum(tokens / some["kv_capacity_tokens"], sequences / some["max_batch"])
        order = np.argsort(used, kind="stable")
        return tuple(
            (int(able[place]), float(used[place])) for place in order if used[place] < below
        )

    def signal(self, model: ModelName, name: str) -> Signal:
        """How far what the replica measured may be trusted."""
        workers = self._workers[model]
        if self._standing[model][name].read_at is None:
            return Signal.MISSING
        fresh = bool(workers.rows[workers.row_of(name)]["fresh"])
        return Signal.FRESH if fresh else Signal.STALE

    # --- inside --------------------------------------------------------------------------------

    def _stand(
        self, model: ModelName, wanted: Mapping[str, ReplicaEndpoint], now: float
    ) -> list[Request]:
        workers, standing = self.workers(model), self._standing.setdefault(model, {})
        lost: list[Request] = []
        for name in [name for name in standing if name not in wanted]:
            del standing[name]
            lost += workers.vanish(name)
        pools = {endpoint.pool for endpoint in wanted.values() if not endpoint.draining}
        self._pools[model] = tuple(sorted(pools))
        self._standing_laws.pop(model, None)
        for name, endpoint in wanted.items():
            known = standing.get(name)
            if known is None:
                law = self._appear(workers, name, endpoint, now)
                standing[name] = Standing(endpoint=endpoint, law=law, stood_at=now)
            elif known.endpoint != endpoint:
                known.endpoint = endpoint
                (workers.drain if endpoint.draining else workers.accept)(name)
        return lost

    def _appear(
        self, workers: Workers, name: str, endpoint: ReplicaEndpoint, now: float
    ) -> WorkerLaw:
        """Not observed yet: treated as if its last report were too old."""
        law = self._laws.law(endpoint.pool)
        assert law is not None  # others were left out
        workers.appear(name, law, now - self._stale_after - 1.0)
        if endpoint.draining:
            workers.drain(name)
        workers.forget_reports_before(now - self._stale_after)
        return law

    def _report(self, model: ModelName, name: str, reading: EngineReading, at: float) -> None:
        """A look counts as fresh when the engine measured all that placing needs, and it can be."""
        replica = self._standing[model].get(name)
        if replica is None or (replica.read_at is not None and at <= replica.read_at):
            return
        running, waiting = reading.running_requests, reading.waiting_requests
        kv = reading.kv_occupancy
        if not reading.healthy or running is None or waiting is None or kv is None:
            return
        if not 0 <= running + waiting <= _MOST_REQUESTS or not 0 <= kv <= _MOST_OCCUPANCY:
            return
        pool, workers = replica.endpoint.pool, self._workers[model]
        law = self._laws.law(pool)
        assert law is not None  # others were left out
        if law is not replica.law:
            replica.law = law
            workers.follow(name, law)
        tokens = max(0, round(kv * law.kv_tokens))
        if reading.work is not None:
            # Its memory stood between what it is now and what it was at the look before.
            before = None if replica.reading is None else replica.reading.kv_occupancy
            mean = tokens if before is None else (kv + before) / 2 * law.kv_tokens
            self._laws.engine_worked(pool, reading.work, mean, at)
        replica.reading, replica.read_at = reading, at
        workers.report(name, at, running=running, waiting=waiting, kv_tokens=tokens)


def name_of(endpoint: ReplicaEndpoint) -> str:
    """The replica's name in rows."""
    return f"{endpoint.pool.vm_type}/{endpoint.replica_id}"
