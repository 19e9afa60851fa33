"""Orders, commands, their progress, what agents say of them, and overrides."""

from __future__ import annotations

from heliostat.catalogue import FleetCatalogue
from heliostat.model.command import (
    STAGES,
    Acknowledgement,
    Command,
    CommandProgress,
    Order,
    RedeployOrder,
    RefusalKind,
    ScaleOrder,
)
from heliostat.model.governance import Override
from heliostat.model.names import RegionName
from heliostat.v1 import fleet_pb2
from services.translation.enums import COMMAND_STATE, REFUSAL_KIND
from services.translation.fields import (
    count,
    instant_from_wire,
    instant_to_wire,
    required,
    required_text,
    revision_from_wire,
)
from services.translation.names import known_pool, pool_from_wire, pool_to_wire


def command_to_wire(command: Command) -> fleet_pb2.Command:
    """The command."""
    message = fleet_pb2.Command(
        command_id=command.command_id,
        region=command.region,
        reason=command.reason,
        author=command.author,
        created_at=instant_to_wire(command.created_at),
        not_after=instant_to_wire(command.not_after),
        plan_version=command.plan_version,
        request_id=command.request_id,
        state=COMMAND_STATE.to_wire(command.state),
        progress=progress_to_wire(command.progress),
        refusal=_refusal_to_wire(command.refusal),
        outcome=command.outcome,
        ended_at=None if command.ended_at is None else instant_to_wire(command.ended_at),
        etag=str(command.revision),
    )
    match command.order:
        case ScaleOrder() as scale:
            message.scale.CopyFrom(_scale_to_wire(scale))
        case RedeployOrder() as redeploy:
            message.redeploy.CopyFrom(redeploy_to_wire(redeploy))
    return message


def command_from_wire(path: str, command: fleet_pb2.Command) -> Command:
    """The command. Raises InvalidInput."""
    return Command(
        command_id=command.command_id,
        region=RegionName(required_text(f"{path}.region", command.region)),
        order=_order_from_wire(path, command),
        reason=command.reason,
        author=command.author,
        created_at=instant_from_wire(required(path, command, "created_at"), command.created_at),
        not_after=instant_from_wire(required(path, command, "not_after"), command.not_after),
        plan_version=count(f"{path}.plan_version", command.plan_version),
        request_id=command.request_id,
        state=COMMAND_STATE.from_wire(f"{path}.state", command.state),
        progress=progress_from_wire(f"{path}.progress", command.progress),
        refusal=_refusal_from_wire(f"{path}.refusal", command.refusal),
        outcome=command.outcome,
        ended_at=instant_from_wire(f"{path}.ended_at", command.ended_at)
        if command.HasField("ended_at")
        else None,
        revision=revision_from_wire(f"{path}.etag", command.etag),
    )


def redeploy_to_wire(order: RedeployOrder) -> fleet_pb2.RedeployOrder:
    """The order."""
    return fleet_pb2.RedeployOrder(
        source=pool_to_wire(order.source),
        source_target_replicas=order.source_target,
        destination=pool_to_wire(order.destination),
        destination_target_replicas=order.destination_target,
    )


def redeploy_from_wire(
    path: str, order: fleet_pb2.RedeployOrder, catalogue: FleetCatalogue | None = None
) -> RedeployOrder:
    """The order; its pools are checked against the catalogue where one is given.

    Raises InvalidInput or an Unknown… error.
    """
    source, destination = required(path, order, "source"), required(path, order, "destination")
    required(path, order, "source_target_replicas")
    required(path, order, "destination_target_replicas")
    if catalogue is not None:
        known_pool(source, order.source, catalogue)
        known_pool(destination, order.destination, catalogue)
    return RedeployOrder(
        source=pool_from_wire(source, order.source),
        source_target=order.source_target_replicas,
        destination=pool_from_wire(destination, order.destination),
        destination_target=order.destination_target_replicas,
    )


def progress_to_wire(progress: CommandProgress) -> fleet_pb2.CommandProgress:
    """The progress."""
    stages = {f"{stage}_replicas": getattr(progress, stage) for stage in STAGES}
    return fleet_pb2.CommandProgress(**stages, detail=progress.detail)


def progress_from_wire(path: str, progress: fleet_pb2.CommandProgress) -> CommandProgress:
    """The progress. Raises InvalidInput for negative counts."""
    stages = {
        stage: count(f"{path}.{stage}_replicas", getattr(progress, f"{stage}_replicas"))
        for stage in STAGES
    }
    return CommandProgress(**stages, detail=progress.detail)


def word_to_wire(ack: Acknowledgement) -> fleet_pb2.AcknowledgeCommandRequest:
    """What an agent says of a command."""
    return fleet_pb2.AcknowledgeCommandRequest(
        command_id=ack.command_id,
        region=ack.region,
        state=COMMAND_STATE.to_wire(ack.state),
        at=instant_to_wire(ack.at),
        progress=progress_to_wire(ack.progress),
        refusal=_refusal_to_wire(ack.refusal),
        detail=ack.detail,
        command_created_at=None
        if ack.command_created_at is None
        else instant_to_wire(ack.command_created_at),
    )


def word_from_wire(request: fleet_pb2.AcknowledgeCommandRequest) -> Acknowledgement:
    """What an agent says of a command. Raises InvalidInput."""
    return Acknowledgement(
        command_id=required_text("command_id", request.command_id),
        region=RegionName(required_text("region", request.region)),
        state=COMMAND_STATE.from_wire("state", request.state),
        at=instant_from_wire(required("", request, "at"), request.at),
        progress=progress_from_wire("progress", request.progress),
        refusal=_refusal_from_wire("refusal", request.refusal),
        detail=request.detail,
        command_created_at=instant_from_wire("command_created_at", request.command_created_at)
        if request.HasField("command_created_at")
        else None,
    )


def override_to_wire(override: Override) -> fleet_pb2.Override:
    """The override."""
    return fleet_pb2.Override(
        override_id=override.override_id,
        pool=pool_to_wire(override.pool),
        target_replicas=override.target_replicas,
        author=override.author,
        reason=override.reason,
        created_at=instant_to_wire(override.created_at),
        expires_at=instant_to_wire(override.expires_at),
        request_id=override.request_id,
    )


def override_from_wire(path: str, override: fleet_pb2.Override) -> Override:
    """The override. Raises InvalidInput."""
    return Override(
        override_id=required_text(f"{path}.override_id", override.override_id),
        pool=pool_from_wire(required(path, override, "pool"), override.pool),
        target_replicas=override.target_replicas,
        author=override.author,
        reason=override.reason,
        created_at=instant_from_wire(required(path, override, "created_at"), override.created_at),
        expires_at=instant_from_wire(required(path, override, "expires_at"), override.expires_at),
        request_id=override.request_id,
    )


def _scale_to_wire(order: ScaleOrder) -> fleet_pb2.ScaleOrder:
    return fleet_pb2.ScaleOrder(
        pool=pool_to_wire(order.pool), target_replicas=order.target_replicas
    )


def _order_from_wire(path: str, command: fleet_pb2.Command) -> Order:
    if command.WhichOneof("order") == "redeploy":
        return redeploy_from_wire(f"{path}.redeploy", command.redeploy)
    place = required(path, command, "scale")
    required(place, command.scale, "target_replicas")
    return ScaleOrder(
        pool=pool_from_wire(required(place, command.scale, "pool"), command.scale.pool),
        target_replicas=command.scale.target_replicas,
    )


def _refusal_to_wire(refusal: RefusalKind | None) -> fleet_pb2.RefusalKind.ValueType:
    return REFUSAL_KIND.unspecified if refusal is None else REFUSAL_KIND.to_wire(refusal)


def _refusal_from_wire(path: str, number: int) -> RefusalKind | None:
    return None if number == REFUSAL_KIND.unspecified else REFUSAL_KIND.from_wire(path, number)
