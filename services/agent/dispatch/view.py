"""The dispatcher's status view: replicas (fullest first), queues and counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from heliostat.model.dispatch_view import BatchQueueView, DispatchView, ModelBasis, ReplicaView
from heliostat.model.instants import from_epoch
from heliostat.model.names import ModelName, RegionName
from services.agent.dispatch.dispatcher import Dispatcher
from services.agent.dispatch.laws import PoolLaws
from services.agent.dispatch.placing import Placing
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.tally import Tally
from services.agent.journal.batch_entry import BatchTotals


def view_of(
    *,
    region: RegionName,
    replicas: Replicas,
    placing: Placing,
    dispatcher: Dispatcher,
    tally: Tally,
    laws: PoolLaws,
    batch: Mapping[ModelName, BatchTotals],
    now: float,
    model: str,
    limit: int,
) -> DispatchView:
    """One look; `model` "" = all of them."""
    models = [one for one in replicas.models if not model or one == model]
    shown = [view for one in models for view in _replicas(replicas, one, now)]
    shown.sort(key=lambda view: (-view.booked_requests, view.pool, view.replica_id))
    return DispatchView(
        region=region,
        replicas=tuple(shown[:limit]),
        replicas_known=len(shown),
        queues=tuple(
            _queue(name, totals, now)
            for name, totals in batch.items()
            if not model or name == model
        ),
        held=len(dispatcher.holding),
        counts=tally.counts,
        bases=tuple(_bases(replicas, placing, models, now)),
        laws=tuple(law for law in laws.told if law.pool.model in models),
    )


def _replicas(replicas: Replicas, model: ModelName, now: float) -> Iterator[ReplicaView]:
    workers = replicas.workers(model)
    for name, standing in replicas.standing(model).items():
        row = workers.rows[workers.row_of(name)]
        reading = standing.reading
        yield ReplicaView(
            replica_id=standing.endpoint.replica_id,
            pool=standing.endpoint.pool,
            address=standing.endpoint.address,
            draining=standing.endpoint.draining,
            signal=replicas.signal(model, name),
            signal_age_seconds=(
                None if standing.read_at is None else max(0.0, now - standing.read_at)
            ),
            running_requests=None if reading is None else reading.running_requests,
            waiting_requests=None if reading is None else reading.waiting_requests,
            kv_occupancy=None if reading is None else reading.kv_occupancy,
            booked_requests=int(row["running"] + row["waiting"]),
        )


def _queue(model: ModelName, totals: BatchTotals, now: float) -> BatchQueueView:
    oldest = totals.oldest_queued_at
    return BatchQueueView(
        model=model,
        waiting=totals.waiting,
        promoted=totals.promoted,
        placed=totals.placed,
        oldest_seconds=(
            None if oldest is None else (from_epoch(int(now)) - oldest).total_seconds()
        ),
        first_due=totals.first_due,
    )


def _bases(
    replicas: Replicas, placing: Placing, models: list[ModelName], now: float
) -> Iterator[ModelBasis]:
    for model in models:
        fresh, ready = replicas.ready(model)
        if ready:
            yield ModelBasis(
                model=model,
                basis=placing.basis(model),
                fresh_replicas=fresh,
                ready_replicas=ready,
                new_replicas=replicas.new(model, now),
            )
