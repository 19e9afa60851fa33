"""How far behind gateways are is told for each, however many they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from prometheus_client import generate_latest

from heliostat.errors import UnknownRoutingTable
from heliostat.model.names import RegionName
from heliostat.model.routing import RoutingAck, RoutingTable
from services.control_plane.metrics import Metrics
from services.control_plane.ticks import version_lags
from tests.builders import NOON

EAST = RegionName("east")


class Ledger:
    """The newest table and an older one; counts how often that one is read."""

    def __init__(self, acks: Sequence[RoutingAck]) -> None:
        self._acks = acks
        self.reads = 0

    def latest_tables(self) -> tuple[RoutingTable, ...]:
        return (a_table("9", plan=5),)

    def routing_acks(self, origin: RegionName | None = None) -> tuple[RoutingAck, ...]:
        return tuple(ack for ack in self._acks if origin in (None, ack.origin))

    def acknowledge_tables(self, acks: Sequence[RoutingAck]) -> None:
        raise AssertionError("nobody acknowledges here")

    def prune(self, valid_before: datetime, heard_before: datetime) -> int:
        raise AssertionError("nobody keeps house here")

    def table(self, origin: RegionName, version: str = "") -> RoutingTable:
        self.reads += 1
        if version != "7":
            raise UnknownRoutingTable(f"{origin} {version}")
        return a_table("7", plan=3)


def a_table(version: str, plan: int) -> RoutingTable:
    return RoutingTable(
        origin=EAST,
        valid_from=NOON,
        stale_after=timedelta(minutes=5),
        entries=(),
        version=version,
        plan_version=plan,
    )


def an_ack(gateway: str, version: str, *, accepted: bool = True) -> RoutingAck:
    return RoutingAck(origin=EAST, gateway_id=gateway, version=version, accepted=accepted, at=NOON)


def test_each_gateway_is_as_many_plans_behind_as_its_table_is() -> None:
    ledger = Ledger([an_ack("new", "9"), an_ack("old", "7")])
    assert list(version_lags(ledger)) == [(EAST, "new", 0), (EAST, "old", 2)]


def test_a_table_is_read_once_however_many_gateways_use_it() -> None:
    ledger = Ledger([an_ack(f"g{number}", "7") for number in range(1000)])
    assert len(list(version_lags(ledger))) == 1000
    assert ledger.reads == 1


def test_a_forgotten_table_is_asked_for_once_too() -> None:
    ledger = Ledger([an_ack(f"g{number}", "1") for number in range(1000)])
    assert list(version_lags(ledger)) == []
    assert ledger.reads == 1


def test_gateways_that_refused_or_use_a_forgotten_table_are_left_out() -> None:
    ledger = Ledger([an_ack("refused", "9", accepted=False), an_ack("lost", "1")])
    assert list(version_lags(ledger)) == []


def test_gateways_that_are_gone_are_shown_no_more() -> None:
    metrics = Metrics()
    metrics.show_lags([(EAST, "here", 0), (EAST, "gone", 7)])
    metrics.show_lags([(EAST, "here", 1)])
    page = generate_latest(metrics.registry).decode()
    shown = [line for line in page.splitlines() if line.startswith("heliostat_agent_applied")]
    assert shown == ['heliostat_agent_applied_version_lag{gateway="here",region="east"} 1.0']
