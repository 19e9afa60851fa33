"""A look at a region's dispatcher, in both directions."""

from __future__ import annotations

from dataclasses import fields

from heliostat.model.dispatch_view import (
    BatchQueueView,
    DispatchCounts,
    DispatchView,
    ModelBasis,
    ReplicaView,
)
from heliostat.model.names import ModelName, RegionName
from heliostat.v1 import dispatch_pb2
from services.translation.enums import PLACEMENT_BASIS, SIGNAL
from services.translation.fields import instant_from_wire, instant_to_wire
from services.translation.measured_laws import law_from_wire, law_to_wire
from services.translation.names import pool_from_wire, pool_to_wire


def view_to_wire(view: DispatchView) -> dispatch_pb2.GetDispatchResponse:
    """The look."""
    counts = {field.name: getattr(view.counts, field.name) for field in fields(view.counts)}
    return dispatch_pb2.GetDispatchResponse(
        region=view.region,
        replicas=[_replica_to_wire(replica) for replica in view.replicas],
        replicas_known=view.replicas_known,
        queues=[_queue_to_wire(queue) for queue in view.queues],
        held=view.held,
        counts=dispatch_pb2.DispatchCounts(**counts),
        bases=[
            dispatch_pb2.ModelBasis(
                model=one.model,
                basis=PLACEMENT_BASIS.to_wire(one.basis),
                fresh_replicas=one.fresh_replicas,
                ready_replicas=one.ready_replicas,
                new_replicas=one.new_replicas,
            )
            for one in view.bases
        ],
        laws=[law_to_wire(law) for law in view.laws],
    )


def view_from_wire(view: dispatch_pb2.GetDispatchResponse) -> DispatchView:
    """The look. Raises InvalidInput."""
    return DispatchView(
        region=RegionName(view.region),
        replicas=tuple(
            _replica_from_wire(f"replicas[{i}]", replica) for i, replica in enumerate(view.replicas)
        ),
        replicas_known=view.replicas_known,
        queues=tuple(_queue_from_wire(queue) for queue in view.queues),
        held=view.held,
        counts=DispatchCounts(
            **{field.name: getattr(view.counts, field.name) for field in fields(DispatchCounts)}
        ),
        bases=tuple(
            ModelBasis(
                model=ModelName(one.model),
                basis=PLACEMENT_BASIS.from_wire(f"bases[{i}].basis", one.basis),
                fresh_replicas=one.fresh_replicas,
                ready_replicas=one.ready_replicas,
                new_replicas=one.new_replicas,
            )
            for i, one in enumerate(view.bases)
        ),
        laws=tuple(
            law_from_wire(law, pool_from_wire(f"laws[{i}].pool", law.pool))
            for i, law in enumerate(view.laws)
        ),
    )


def _replica_to_wire(replica: ReplicaView) -> dispatch_pb2.ReplicaView:
    return dispatch_pb2.ReplicaView(
        replica_id=replica.replica_id,
        pool=pool_to_wire(replica.pool),
        address=replica.address,
        draining=replica.draining,
        signal=SIGNAL.to_wire(replica.signal),
        signal_age_seconds=replica.signal_age_seconds,
        running_requests=replica.running_requests,
        waiting_requests=replica.waiting_requests,
        kv_occupancy=replica.kv_occupancy,
        booked_requests=replica.booked_requests,
    )


def _replica_from_wire(path: str, replica: dispatch_pb2.ReplicaView) -> ReplicaView:
    measured = replica.HasField
    return ReplicaView(
        replica_id=replica.replica_id,
        pool=pool_from_wire(f"{path}.pool", replica.pool),
        address=replica.address,
        draining=replica.draining,
        signal=SIGNAL.from_wire(f"{path}.signal", replica.signal),
        signal_age_seconds=replica.signal_age_seconds if measured("signal_age_seconds") else None,
        running_requests=replica.running_requests if measured("running_requests") else None,
        waiting_requests=replica.waiting_requests if measured("waiting_requests") else None,
        kv_occupancy=replica.kv_occupancy if measured("kv_occupancy") else None,
        booked_requests=replica.booked_requests,
    )


def _queue_to_wire(queue: BatchQueueView) -> dispatch_pb2.BatchQueueView:
    return dispatch_pb2.BatchQueueView(
        model=queue.model,
        waiting=queue.waiting,
        promoted=queue.promoted,
        placed=queue.placed,
        oldest_seconds=queue.oldest_seconds,
        first_due=None if queue.first_due is None else instant_to_wire(queue.first_due),
    )


def _queue_from_wire(queue: dispatch_pb2.BatchQueueView) -> BatchQueueView:
    return BatchQueueView(
        model=ModelName(queue.model),
        waiting=queue.waiting,
        promoted=queue.promoted,
        placed=queue.placed,
        oldest_seconds=queue.oldest_seconds if queue.HasField("oldest_seconds") else None,
        first_due=(
            instant_from_wire("first_due", queue.first_due) if queue.HasField("first_due") else None
        ),
    )
