"""The figures that alerts watch are there, are true, and go when their subject goes."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from heliostat.clock import SystemClock
from heliostat.errors import InvalidInput
from heliostat.model.fleet import Fleet, PoolObservation, PoolState, Signal
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingTable
from services.cli.certificates import CertificateMaker
from services.control_plane import lags as gateway_lags
from services.control_plane.lags import REMEMBERED, ConnectedGateways, GatewayLag, TableAge
from services.control_plane.metrics import Metrics
from services.control_plane.operating_metrics import certificate_end, gateway_figures
from services.control_plane.ticks import Tick
from storage.memory import memory_stores
from tests.builders import MINUTE, NOON, a_forecast, a_pool, an_observation
from tests.heliostat.fakes import a_house
from tests.support.agents import a_command
from tests.support.planes import a_world

EAST, WEST = RegionName("east"), RegionName("west")


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


def a_table_age(plan: int, minute: int) -> TableAge:
    return TableAge(plan_version=plan, valid_from=NOON + MINUTE * minute)


OLD, LATER, NEWEST = a_table_age(3, 0), a_table_age(4, 5), a_table_age(5, 10)


def lag(gateway: str, plan_versions: int, minutes: int = 0, *, refuses: bool = False) -> GatewayLag:
    return GatewayLag(
        region=EAST,
        gateway=gateway,
        plan_versions=plan_versions,
        behind=MINUTE * minutes,
        refuses=refuses,
    )


def lags_of(gateways: ConnectedGateways) -> list[GatewayLag]:
    return list(gateways.lags(lambda _: NEWEST))


def page(metrics: Metrics) -> set[str]:
    """The figures that are shown, without the prefix that all have."""
    text = generate_latest(metrics.registry).decode()
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {line.removeprefix("heliostat_") for line in lines}


def test_each_gateway_is_as_far_behind_as_the_table_that_it_accepted_last() -> None:
    gateways = ConnectedGateways()
    with gateways.connected(EAST, "new") as new, gateways.connected(EAST, "old") as old:
        for table in (OLD, LATER, NEWEST):
            for stream in (new, old):
                stream.sent(table)
        new.said(NEWEST, accepted=True)
        old.said(OLD, accepted=True)
        assert lags_of(gateways) == [lag("new", 0), lag("old", 2, minutes=10)]


def test_a_gateway_that_never_answers_is_behind_since_the_first_table_that_it_was_sent() -> None:
    gateways = ConnectedGateways()
    with gateways.connected(EAST, "stuck") as stuck:
        assert lags_of(gateways) == []
        for table in (LATER, NEWEST):
            stuck.sent(table)
        assert lags_of(gateways) == [lag("stuck", 1, minutes=5)]


def test_a_gateway_that_refuses_every_table_falls_behind_and_is_shown_as_refusing() -> None:
    gateways = ConnectedGateways()
    with gateways.connected(EAST, "wary") as wary:
        wary.said(OLD, accepted=True)
        wary.said(NEWEST, accepted=False)
        assert lags_of(gateways) == [lag("wary", 2, minutes=10, refuses=True)]
        wary.said(NEWEST, accepted=True)
        assert lags_of(gateways) == [lag("wary", 0)]


def test_no_gateway_is_ahead_after_the_clock_was_set_back() -> None:
    gateways = ConnectedGateways()
    with gateways.connected(EAST, "gw") as stream:
        stream.said(a_table_age(4, 70), accepted=True)
        assert lags_of(gateways) == [lag("gw", 1)]


def test_a_gateway_that_has_gone_is_not_behind_for_hours() -> None:
    gateways = ConnectedGateways()
    with gateways.connected(EAST, "pod-1") as gone:
        gone.said(OLD, accepted=True)
    assert lags_of(gateways) == []


def test_a_gateway_whose_streams_keep_breaking_falls_behind_while_it_accepts_nothing() -> None:
    gateways = ConnectedGateways()
    for table in (OLD, LATER, NEWEST):
        with gateways.connected(EAST, "flapping") as flapping:
            flapping.sent(table)
            assert lags_of(gateways) == [lag("flapping", 2, minutes=10)]
        assert lags_of(gateways) == []
    with gateways.connected(EAST, "flapping") as flapping:
        flapping.said(NEWEST, accepted=True)
        assert lags_of(gateways) == [lag("flapping", 0)]


def test_what_a_gateway_used_is_forgotten_an_hour_after_it_left() -> None:
    now = [0.0]
    gateways = ConnectedGateways(lambda: now[0])
    with gateways.connected(EAST, "gw") as stream:
        stream.said(OLD, accepted=True)
    now[0] += REMEMBERED.total_seconds()
    with gateways.connected(EAST, "gw") as stream:
        stream.sent(NEWEST)
        assert lags_of(gateways) == [lag("gw", 2, minutes=10)]
    now[0] += REMEMBERED.total_seconds() + 1
    with gateways.connected(EAST, "gw") as stream:
        stream.sent(NEWEST)
        assert lags_of(gateways) == [lag("gw", 0)]


def test_of_gateways_that_left_the_first_are_forgotten_when_they_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway_lags, "MOST_REMEMBERED", 2)
    gateways = ConnectedGateways()
    names = ("a", "b", "c")
    for name in names:
        with gateways.connected(EAST, name) as stream:
            stream.said(OLD, accepted=True)
    with ExitStack() as all_open:
        for name in names:
            all_open.enter_context(gateways.connected(EAST, name)).sent(NEWEST)
        assert lags_of(gateways) == [
            lag("a", 0),
            lag("b", 2, minutes=10),
            lag("c", 2, minutes=10),
        ]


def test_a_gateway_is_connected_until_the_last_of_its_streams_has_ended() -> None:
    gateways = ConnectedGateways()
    with gateways.connected(EAST, "gw") as first:
        first.said(OLD, accepted=True)
        with gateways.connected(EAST, "gw") as second:
            second.said(LATER, accepted=True)
        assert lags_of(gateways) == [lag("gw", 1, minutes=5)]
    assert lags_of(gateways) == []


def test_a_gateway_that_came_again_is_judged_by_its_later_stream() -> None:
    """The end of the broken one is noticed after the new one has begun."""
    gateways = ConnectedGateways()
    with ExitStack() as broken:
        broken.enter_context(gateways.connected(EAST, "gw")).said(OLD, accepted=True)
        with gateways.connected(EAST, "gw") as again:
            again.said(NEWEST, accepted=True)
            broken.close()
            assert lags_of(gateways) == [lag("gw", 0)]


def test_each_connected_gateway_has_its_figures() -> None:
    metrics = Metrics()
    metrics.watch(lambda: gateway_figures([lag("here", 1, minutes=2, refuses=True)]))
    of = '{gateway="here",region="east"}'
    assert page(metrics) >= {
        f"gateway_plan_versions_behind{of} 1.0",
        f"gateway_routes_lag_seconds{of} 120.0",
        f"gateway_refuses_table{of} 1.0",
    }


def test_a_lag_in_plan_versions_says_that_it_counts() -> None:
    metrics = Metrics()
    metrics.watch(lambda: gateway_figures([]))
    text = generate_latest(metrics.registry).decode()
    (said,) = (
        line for line in text.splitlines() if line.startswith("# HELP heliostat_gateway_plan")
    )
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


async def test_the_age_of_the_forecasts_is_told_also_of_those_that_another_leader_made() -> None:
    stores, issued = memory_stores(SystemClock()), a_forecast()
    async with a_world(stores=stores) as world:
        stores.forecasts.store([issued], epoch=world.plane.leader.epoch())
    later = issued.issued_at + 50 * MINUTE
    async with a_world(stores=stores, at=later) as world:
        assert not any(line.startswith("forecast_age") for line in page(world.plane.metrics))
        await world.tick(Tick.REFRESH)
        assert "forecast_age_seconds 3000.0" in page(world.plane.metrics)


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


def test_a_region_that_the_catalogue_has_no_more_has_no_age_that_grows() -> None:
    house, metrics = a_house(), Metrics()
    for region in ("east", "mars"):
        seen = an_observation(PoolObservation(pool=a_pool(region)), region=region)
        house.stores.fleet.observe(seen, NOON)
    metrics.show_fleet(house.loop.situation.fleet(NOON + MINUTE))
    (family,) = metrics.operating.report_ages(NOON + MINUTE)
    assert [sample.labels for sample in family.samples] == [{"region": "east"}]
