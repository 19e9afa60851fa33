"""The figures that alerts watch are there, are true, and go when their subject goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from heliostat.clock import SystemClock
from heliostat.errors import InvalidInput, UnknownRoutingTable
from heliostat.model.fleet import Fleet, PoolObservation, PoolState, Signal
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingAck, RoutingTable
from services.cli.certificates import CertificateMaker
from services.control_plane.lags import GatewayLag, gateway_lags
from services.control_plane.metrics import Metrics
from services.control_plane.operating_metrics import certificate_end
from services.control_plane.ticks import Tick
from storage.memory import memory_stores
from tests.builders import MINUTE, NOON, a_pool, an_observation
from tests.support.agents import a_command
from tests.support.planes import a_world

EAST, WEST = RegionName("east"), RegionName("west")


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
        return a_table("7", plan=3, valid_from=NOON - 10 * MINUTE)


def a_table(
    version: str,
    plan: int,
    *,
    origin: RegionName = EAST,
    valid_from: datetime = NOON,
    shed: int = 0,
    entries: bool = True,
) -> RoutingTable:
    """Everything but the shed share is served at home."""
    home = RouteShare(serving=origin, weight_ppm=MILLION - shed, ingress_endpoint="10.0.0.1:80")
    entry = RouteEntry(
        model=ModelName("alpha"),
        tier=Tier.BATCH,
        shares=(home,) if shed < MILLION else (),
        shed_ppm=shed,
    )
    return RoutingTable(
        origin=origin,
        valid_from=valid_from,
        stale_after=timedelta(minutes=5),
        entries=(entry,) if entries else (),
        version=version,
        plan_version=plan,
    )


def an_ack(gateway: str, version: str, *, accepted: bool = True) -> RoutingAck:
    return RoutingAck(origin=EAST, gateway_id=gateway, version=version, accepted=accepted, at=NOON)


def lag(gateway: str, plan_versions: int, minutes: int = 0) -> GatewayLag:
    behind = MINUTE * minutes
    return GatewayLag(region=EAST, gateway=gateway, plan_versions=plan_versions, behind=behind)


def page(metrics: Metrics) -> set[str]:
    """The figures that are shown, without the prefix that all have."""
    text = generate_latest(metrics.registry).decode()
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {line.removeprefix("heliostat_") for line in lines}


def test_each_gateway_is_as_far_behind_as_its_table_is() -> None:
    ledger = Ledger([an_ack("new", "9"), an_ack("old", "7")])
    assert list(gateway_lags(ledger)) == [lag("new", 0), lag("old", 2, minutes=10)]


def test_a_table_is_read_once_however_many_gateways_use_it() -> None:
    ledger = Ledger([an_ack(f"g{number}", "7") for number in range(1000)])
    assert len(list(gateway_lags(ledger))) == 1000
    assert ledger.reads == 1


def test_a_forgotten_table_is_asked_for_once_too() -> None:
    ledger = Ledger([an_ack(f"g{number}", "1") for number in range(1000)])
    assert list(gateway_lags(ledger)) == []
    assert ledger.reads == 1


def test_gateways_that_refused_or_use_a_forgotten_table_are_left_out() -> None:
    ledger = Ledger([an_ack("refused", "9", accepted=False), an_ack("lost", "1")])
    assert list(gateway_lags(ledger)) == []


def test_gateways_that_are_gone_are_shown_no_more() -> None:
    metrics = Metrics()
    metrics.operating.show_lags([lag("here", 0), lag("gone", 7, minutes=3)])
    metrics.operating.show_lags([lag("here", 1, minutes=2)])
    of = '{gateway="here",region="east"}'
    assert page(metrics) >= {
        f"agent_applied_version_lag{of} 1.0",
        f"gateway_routes_lag_seconds{of} 120.0",
    }
    assert not any("gone" in line for line in page(metrics))


def test_the_version_lag_says_that_it_counts() -> None:
    text = generate_latest(Metrics().registry).decode()
    (said,) = (line for line in text.splitlines() if line.startswith("# HELP heliostat_agent_app"))
    assert "Plan versions (a count, not seconds)" in said


def test_a_new_table_replaces_the_shares_of_its_own_origin_alone() -> None:
    metrics = Metrics()
    metrics.show_routes([a_table("1", 1, shed=MILLION), a_table("2", 1, origin=WEST)])
    metrics.show_routes([a_table("3", 2, shed=MILLION // 4)])
    what, of_west = 'model="alpha",tier="batch"', 'from_region="west"'
    assert page(metrics) >= {
        f'route_shed_ratio{{from_region="east",{what}}} 0.25',
        'route_weight{from_region="east",model="alpha",tier="batch",to_region="east"} 0.75',
        f"route_shed_ratio{{{of_west},{what}}} 0.0",
    }
    metrics.show_routes([a_table("4", 2, entries=False)])
    assert not any('from_region="east"' in line for line in page(metrics))
    assert any(of_west in line for line in page(metrics))


def test_open_and_overdue_commands_are_counted_in_every_region() -> None:
    metrics = Metrics()
    late, early = a_command(not_after=NOON), a_command(not_after=NOON + MINUTE)
    metrics.operating.show_commands([late, early], [EAST, WEST], NOON)
    assert page(metrics) >= {
        'open_commands{region="east"} 2.0',
        'overdue_commands{region="east"} 1.0',
        'open_commands{region="west"} 0.0',
        'overdue_commands{region="west"} 0.0',
    }


async def test_a_regions_report_grows_older_and_a_silent_region_has_no_age() -> None:
    async with a_world() as world:
        seen = an_observation(PoolObservation(pool=a_pool()), at=NOON)
        world.stores.fleet.observe(seen, NOON)
        await world.tick(Tick.REROUTE, Tick.SETTLE)
        world.clock.advance_to(NOON + 3 * MINUTE)
        shown = page(world.plane.metrics)
    assert 'region_report_age_seconds{region="east"} 180.0' in shown
    assert not any(line.startswith('region_report_age_seconds{region="west"') for line in shown)
    assert 'open_commands{region="west"} 0.0' in shown


async def test_the_age_of_the_plan_is_told_by_a_new_leader_that_makes_none() -> None:
    stores = memory_stores(SystemClock())
    async with a_world(stores=stores) as world:
        await world.tick(Tick.REPLAN)
    later = NOON + 50 * MINUTE
    async with a_world(stores=stores, at=later, targets={a_pool(): -1}) as world:
        with pytest.raises(InvalidInput):
            await world.tick(Tick.REPLAN)
        assert "plan_age_seconds 3000.0" in page(world.plane.metrics)


async def test_the_age_of_a_plan_from_the_future_counts_from_when_the_clock_was_set_back() -> None:
    stores = memory_stores(SystemClock())
    async with a_world(stores=stores, at=NOON + timedelta(hours=2)) as world:
        await world.tick(Tick.REPLAN)
    async with a_world(stores=stores, targets={a_pool(): -1}) as world:
        for minutes in (0, 15, 50):
            world.clock.advance_to(NOON + minutes * MINUTE)
            with pytest.raises(InvalidInput):
                await world.tick(Tick.REPLAN)
            assert f"plan_age_seconds {60.0 * minutes}" in page(world.plane.metrics)


def test_the_certificates_end_is_told_where_it_can_be_read(tmp_path: Path) -> None:
    maker = CertificateMaker(tmp_path, now=NOON, valid=timedelta(days=1))
    maker.make(servers=["localhost"], clients=[])
    metrics = Metrics()
    metrics.watch(partial(certificate_end, tmp_path / "server.pem"))
    name = "server_certificate_expiry_timestamp_seconds"
    (shown,) = (line for line in page(metrics) if line.startswith(name))
    assert float(shown.split()[1]) == (NOON + timedelta(days=1)).timestamp()
    (tmp_path / "server.pem").write_text("nonsense")
    assert not any(line.startswith(name) for line in page(metrics))


def test_a_report_from_the_future_is_forgotten_once_another_took_its_place() -> None:
    metrics = Metrics()
    for at in (NOON + timedelta(hours=1), NOON - MINUTE):
        seen = PoolState(
            observation=PoolObservation(pool=a_pool()), observed_at=at, signal=Signal.FRESH
        )
        metrics.operating.hear(Fleet(at=NOON, pools=(seen,)))
    (family,) = metrics.operating.report_ages(NOON)
    assert [sample.value for sample in family.samples] == [60.0]


def test_a_region_that_falls_silent_ages_though_its_last_report_is_from_the_future() -> None:
    metrics = Metrics()
    seen = PoolState(
        observation=PoolObservation(pool=a_pool()),
        observed_at=NOON + timedelta(hours=1),
        signal=Signal.FRESH,
    )
    metrics.operating.hear(Fleet(at=NOON, pools=(seen,)))
    for minutes in (0, 9):
        (family,) = metrics.operating.report_ages(NOON + minutes * MINUTE)
        assert [sample.value for sample in family.samples] == [60.0 * minutes]
