"""Routing tables, subscriptions, and what gateways say of them."""

from __future__ import annotations

from datetime import datetime

from heliostat.catalogue import FleetCatalogue
from heliostat.model.fleet import ReplicaEndpoint
from heliostat.model.names import ModelName, RegionName
from heliostat.model.routing import (
    RegionIngress,
    RouteEntry,
    RouteShare,
    RoutingAck,
    RoutingTable,
)
from heliostat.v1 import routing_pb2
from services.translation.enums import TIER
from services.translation.fields import (
    count,
    instant_from_wire,
    instant_to_wire,
    length_from_wire,
    length_to_wire,
    required,
    required_text,
)
from services.translation.names import pool_from_wire, pool_to_wire


def ingresses_of(catalogue: FleetCatalogue) -> tuple[RegionIngress, ...]:
    """Where every region of the catalogue takes forwarded requests."""
    return tuple(
        RegionIngress(region=region.name, ingress_endpoint=region.ingress_endpoint)
        for region in catalogue.regions
    )


def table_to_wire(table: RoutingTable) -> routing_pb2.RoutingTable:
    """The table, whole."""
    return routing_pb2.RoutingTable(
        origin_region=table.origin,
        version=table.version,
        valid_from=instant_to_wire(table.valid_from),
        stale_after=length_to_wire(table.stale_after),
        entries=[_entry_to_wire(entry) for entry in table.entries],
        replicas=[replica_to_wire(replica) for replica in table.replicas],
        plan_version=table.plan_version,
        hop_header=table.hop_header,
        ingresses=[
            routing_pb2.RegionIngress(region=i.region, ingress_endpoint=i.ingress_endpoint)
            for i in table.ingresses
        ],
    )


def table_from_wire(path: str, table: routing_pb2.RoutingTable) -> RoutingTable:
    """The table. Raises InvalidInput, also when shares do not add up."""
    return RoutingTable(
        origin=RegionName(required_text(f"{path}.origin_region", table.origin_region)),
        version=table.version,
        valid_from=instant_from_wire(required(path, table, "valid_from"), table.valid_from),
        stale_after=length_from_wire(required(path, table, "stale_after"), table.stale_after),
        entries=tuple(
            _entry_from_wire(f"{path}.entries[{i}]", entry) for i, entry in enumerate(table.entries)
        ),
        replicas=tuple(
            replica_from_wire(f"{path}.replicas[{i}]", replica)
            for i, replica in enumerate(table.replicas)
        ),
        plan_version=count(f"{path}.plan_version", table.plan_version),
        hop_header=required_text(f"{path}.hop_header", table.hop_header),
        ingresses=tuple(
            RegionIngress(region=RegionName(i.region), ingress_endpoint=i.ingress_endpoint)
            for i in table.ingresses
        ),
    )


def replica_to_wire(replica: ReplicaEndpoint) -> routing_pb2.ReplicaEndpoint:
    """The endpoint."""
    return routing_pb2.ReplicaEndpoint(
        replica_id=replica.replica_id,
        pool=pool_to_wire(replica.pool),
        address=replica.address,
        draining=replica.draining,
    )


def replica_from_wire(path: str, replica: routing_pb2.ReplicaEndpoint) -> ReplicaEndpoint:
    """The endpoint. Raises InvalidInput."""
    return ReplicaEndpoint(
        replica_id=required_text(f"{path}.replica_id", replica.replica_id),
        pool=pool_from_wire(required(path, replica, "pool"), replica.pool),
        address=required_text(f"{path}.address", replica.address),
        draining=replica.draining,
    )


def acknowledgement_from_wire(
    path: str,
    word: routing_pb2.RouteAcknowledgement,
    *,
    origin: RegionName,
    gateway_id: str,
    at: datetime,
) -> RoutingAck:
    """What the gateway of a stream said at that instant. Raises InvalidInput."""
    return RoutingAck(
        origin=origin,
        gateway_id=gateway_id,
        version=required_text(f"{path}.version", word.version),
        accepted=word.accepted,
        at=at,
        detail=word.detail,
    )


def gateway_to_wire(ack: RoutingAck) -> routing_pb2.GatewayStatus:
    """A gateway's last word."""
    return routing_pb2.GatewayStatus(
        origin_region=ack.origin,
        gateway_id=ack.gateway_id,
        version=ack.version,
        accepted=ack.accepted,
        at=instant_to_wire(ack.at),
        detail=ack.detail,
    )


def gateway_from_wire(path: str, status: routing_pb2.GatewayStatus) -> RoutingAck:
    """A gateway's last word. Raises InvalidInput."""
    return RoutingAck(
        origin=RegionName(required_text(f"{path}.origin_region", status.origin_region)),
        gateway_id=required_text(f"{path}.gateway_id", status.gateway_id),
        version=status.version,
        accepted=status.accepted,
        at=instant_from_wire(required(path, status, "at"), status.at),
        detail=status.detail,
    )


def _entry_to_wire(entry: RouteEntry) -> routing_pb2.RouteEntry:
    return routing_pb2.RouteEntry(
        model=entry.model,
        tier=TIER.to_wire(entry.tier),
        shares=[
            routing_pb2.RouteShare(
                serving_region=share.serving,
                weight_ppm=share.weight_ppm,
                ingress_endpoint=share.ingress_endpoint,
            )
            for share in entry.shares
        ],
        shed_ppm=entry.shed_ppm,
        fallback_regions=entry.fallback,
        reason=entry.reason,
    )


def _entry_from_wire(path: str, entry: routing_pb2.RouteEntry) -> RouteEntry:
    return RouteEntry(
        model=ModelName(required_text(f"{path}.model", entry.model)),
        tier=TIER.from_wire(f"{path}.tier", entry.tier),
        shares=tuple(
            RouteShare(
                serving=RegionName(
                    required_text(f"{path}.shares[{i}].serving_region", share.serving_region)
                ),
                weight_ppm=share.weight_ppm,
                ingress_endpoint=share.ingress_endpoint,
            )
            for i, share in enumerate(entry.shares)
        ),
        shed_ppm=entry.shed_ppm,
        fallback=tuple(RegionName(name) for name in entry.fallback_regions),
        reason=entry.reason,
    )
