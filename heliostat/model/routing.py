"""Routing tables: one per origin region, complete state rather than a change.

Weights are integers in parts per million; the shares of an entry and its shed share add up to
exactly one million, so consistency is a matter of equality and not of rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from heliostat.errors import InvalidInput
from heliostat.model.fleet import ReplicaEndpoint
from heliostat.model.instants import check_instant
from heliostat.model.names import ModelName, RegionName, Tier

MILLION = 1_000_000
HOP_HEADER = "x-heliostat-hop"
"""A request that carries this header was forwarded once and must be served where it arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteShare:
    """The share of an entry's requests that goes to one serving region's ingress."""

    serving: RegionName
    weight_ppm: int
    ingress_endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """Where requests of one model and tier go; `fallback` is the order when a share's region fails."""

    model: ModelName
    tier: Tier
    shares: tuple[RouteShare, ...]
    shed_ppm: int = 0
    fallback: tuple[RegionName, ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        weights = [share.weight_ppm for share in self.shares]
        if min([*weights, self.shed_ppm]) < 0 or sum(weights) + self.shed_ppm != MILLION:
            raise InvalidInput(
                "route_entry", f"{self.model}/{self.tier}: shares and shed do not add up to 1"
            )
        servings = [share.serving for share in self.shares]
        if len(set(servings)) != len(servings):
            raise InvalidInput("route_entry", f"{self.model}/{self.tier}: a region appears twice")

    def weight(self, serving: RegionName) -> int:
        """The region's share in parts per million; 0 when it has none."""
        return next((s.weight_ppm for s in self.shares if s.serving == serving), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionIngress:
    """Where a region's gateways take forwarded requests."""

    region: RegionName
    ingress_endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable:
    """Everything a gateway of `origin` needs, whole; good until `valid_from + stale_after`.

    `version` is opaque to readers and set when published. After it goes stale a gateway keeps
    using it and says so: an old table is better than none.
    """

    origin: RegionName
    valid_from: datetime
    stale_after: timedelta
    entries: tuple[RouteEntry, ...]
    replicas: tuple[ReplicaEndpoint, ...] = ()
    version: str = ""
    plan_version: int = 0
    hop_header: str = HOP_HEADER
    ingresses: tuple[RegionIngress, ...] = ()
    """Where every region's gateways listen, for fall-back; the control plane adds it when it sends."""

    def __post_init__(self) -> None:
        check_instant("routing_table.valid_from", self.valid_from)
        keys = [(entry.model, entry.tier) for entry in self.entries]
        if len(set(keys)) != len(keys):
            raise InvalidInput("routing_table", f"{self.origin}: an entry appears twice")

    def entry(self, model: ModelName, tier: Tier) -> RouteEntry | None:
        """The entry for a model and tier, None when the table has none."""
        return next((e for e in self.entries if (e.model, e.tier) == (model, tier)), None)

    def same_routes(self, other: RoutingTable) -> bool:
        """True when a gateway would act alike on both (validity and version aside)."""
        return self.entries == other.entries and self.replicas == other.replicas


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingAck:
    """What a gateway said about a table: accepted, or rejected with the detail."""

    origin: RegionName
    gateway_id: str
    version: str
    accepted: bool
    at: datetime
    detail: str = ""
