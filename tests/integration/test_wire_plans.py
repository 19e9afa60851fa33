"""Plans, forecasts and modes over the wire, and what surrounds every call: health, reflection, metrics."""

from __future__ import annotations

import urllib.request
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from heliostat.errors import (
    HeliostatError,
    InvalidInput,
    ModeForbids,
    NoPlanYet,
    StaleEtag,
    UnknownForecast,
    UnknownModel,
    UnknownPlan,
    UnknownRegion,
)
from heliostat.model.forecast import Champion, ForecastScore
from heliostat.model.governance import Mode
from heliostat.model.instants import Span
from heliostat.model.names import EVERYWHERE, TokenKind
from heliostat.v1 import common_pb2, forecast_pb2, plan_pb2
from services.control_plane.ticks import Tick
from services.translation.fields import instant_to_wire, span_to_wire
from services.translation.forecasts import champion_from_wire, forecast_from_wire, score_from_wire
from services.translation.modes import modes_from_wire
from services.translation.names import pool_to_wire, series_to_wire
from services.translation.plans import plan_from_wire
from services.translation.questions import explanation_from_wire
from tests.builders import NOON, a_demand, a_forecast, a_pool
from tests.support.planes import World, a_world, error_in
from tests.support.ports import free_port

POOL = a_pool()
DAY = Span(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


async def test_the_newest_plan_and_any_other_can_be_read() -> None:
    async with a_world(targets={POOL: 3}) as world:
        error = await error_in(world.client.plans.GetPlan(plan_pb2.GetPlanRequest()))
        assert type(error) is NoPlanYet
        await world.tick(Tick.REPLAN, Tick.REPLAN)
        newest = await world.client.plans.GetPlan(plan_pb2.GetPlanRequest())
        plan = plan_from_wire("plan", newest.plan)
        stored = world.stores.plans.latest_plan()
        assert stored is not None
        assert plan == replace(stored, made_after=None), "which only the store knows"
        first = await world.client.plans.GetPlan(plan_pb2.GetPlanRequest(version=1))
        assert first.plan.version == 1
        unknown = plan_pb2.GetPlanRequest(version=9)
        assert type(await error_in(world.client.plans.GetPlan(unknown))) is UnknownPlan


async def test_plans_are_listed_in_pages_without_their_rows() -> None:
    async with a_world(targets={POOL: 3}) as world:
        await world.tick(*[Tick.REPLAN] * 5)
        request = plan_pb2.ListPlansRequest(span=span_to_wire(DAY), page_size=2)
        seen: list[plan_pb2.PlanSummary] = []
        while True:
            page = await world.client.plans.ListPlans(request)
            seen += page.plans
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert [summary.version for summary in seen] == [1, 2, 3, 4, 5]
        assert (seen[0].changed_pools, seen[0].total_replicas) == (8, 10)
        missing = plan_pb2.ListPlansRequest()
        assert isinstance(await error_in(world.client.plans.ListPlans(missing)), InvalidInput)


async def test_a_proposal_supposes_and_changes_nothing() -> None:
    async with a_world() as world:
        what_if = plan_pb2.WhatIf(demand_factor=2, lost_region="west")
        request = plan_pb2.ProposePlanRequest(what_if=what_if)
        response = await world.client.plans.ProposePlan(request)
        assert (response.plan.version, response.plan.origin) == (0, plan_pb2.PLAN_ORIGIN_PROPOSED)
        assert world.deciders.problems[-1].lost_region == "west"
        assert world.stores.plans.latest_plan() is None


@pytest.mark.parametrize(
    ("what_if", "error"),
    [
        (plan_pb2.WhatIf(lost_region="mars"), UnknownRegion),
        (plan_pb2.WhatIf(demand_factor=-1), InvalidInput),
        (plan_pb2.WhatIf(demand_factor=float("nan")), InvalidInput),
        (
            plan_pb2.WhatIf(
                targets=[
                    plan_pb2.SupposedTarget(
                        pool=common_pb2.PoolKey(region="east", model="m", vm_type="small"),
                        target_replicas=1,
                    )
                ]
            ),
            UnknownModel,
        ),
    ],
)
async def test_an_impossible_supposition_is_refused(
    what_if: plan_pb2.WhatIf, error: type[HeliostatError]
) -> None:
    async with a_world() as world:
        request = plan_pb2.ProposePlanRequest(what_if=what_if)
        assert type(await error_in(world.client.plans.ProposePlan(request))) is error


async def test_approving_the_newest_plan_orders_it_once() -> None:
    async with a_world(targets={POOL: 3}) as world:
        await world.tick(Tick.REPLAN, Tick.REPLAN)
        old = plan_pb2.ApprovePlanRequest(version=1)
        assert type(await error_in(world.client.plans.ApprovePlan(old))) is StaleEtag
        newest = plan_pb2.ApprovePlanRequest(version=2)
        response = await world.client.plans.ApprovePlan(newest)
        scaled = {command.scale.pool.vm_type for command in response.commands}
        assert scaled
        assert {command.author for command in response.commands} == {"admin:local"}
        assert not (await world.client.plans.ApprovePlan(newest)).commands
        await world.client.set_mode(Mode.PAUSED)
        assert type(await error_in(world.client.plans.ApprovePlan(newest))) is ModeForbids


async def test_a_pools_target_is_explained() -> None:
    async with a_world(targets={POOL: 3}) as world:
        request = plan_pb2.ExplainPlanRequest(pool=pool_to_wire(POOL))
        assert type(await error_in(world.client.plans.ExplainPlan(request))) is NoPlanYet
        await world.tick(Tick.REPLAN)
        explanation = explanation_from_wire(await world.client.plans.ExplainPlan(request))
        assert explanation.target.replicas == 3
        assert explanation.target.reason.summary == "the test wants it"
        nothing = plan_pb2.ExplainPlanRequest()
        assert isinstance(await error_in(world.client.plans.ExplainPlan(nothing)), InvalidInput)


async def test_a_mode_is_set_with_a_reason_and_read_with_its_effect() -> None:
    async with a_world() as world:
        before = await world.client.plans.GetMode(plan_pb2.GetModeRequest())
        assert [one.mode for one in before.effective] == [common_pb2.MODE_ADVISORY] * 2
        await world.client.set_mode(Mode.ACTIVE)
        await world.client.set_mode(Mode.PAUSED, "west")
        after = await world.client.plans.GetMode(plan_pb2.GetModeRequest())
        modes = [common_pb2.MODE_ACTIVE, common_pb2.MODE_PAUSED]
        assert [one.mode for one in after.effective] == modes
        assert modes_from_wire(after) == world.stores.modes.modes()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"region": ""}, InvalidInput),
        ({"region": "mars"}, UnknownRegion),
        ({"mode": 0}, InvalidInput),
        ({"reason": ""}, InvalidInput),
        ({"etag": "41"}, StaleEtag),
    ],
)
async def test_a_bad_change_of_mode_changes_nothing(
    changes: dict[str, Any], error: type[HeliostatError]
) -> None:
    async with a_world() as world:
        values: dict[str, Any] = {
            "region": "east",
            "mode": common_pb2.MODE_ACTIVE,
            "reason": "go",
        }
        request = plan_pb2.SetModeRequest(**(values | changes))
        assert type(await error_in(world.client.plans.SetMode(request))) is error
        assert not world.stores.modes.modes().settings


async def test_a_modes_etag_guards_against_lost_updates() -> None:
    async with a_world() as world:
        request = plan_pb2.SetModeRequest(
            region="*", mode=common_pb2.MODE_ACTIVE, reason="go", etag="0"
        )
        first = await world.client.plans.SetMode(request)
        assert type(await error_in(world.client.plans.SetMode(request))) is StaleEtag
        request.etag, request.validate_only = first.setting.etag, True
        dry = await world.client.plans.SetMode(request)
        assert dry.setting.etag != first.setting.etag
        assert len(world.stores.modes.modes().settings) == 1
        assert str(world.stores.modes.modes().settings[0].revision) == first.setting.etag


def with_forecasts(world: World) -> None:
    epoch = world.plane.leader.epoch()
    forecasts = [
        a_forecast(a_demand(origin=origin, model=model), kind)
        for origin in ("east", EVERYWHERE)
        for model in ("alpha", "beta")
        for kind in TokenKind
    ]
    world.stores.forecasts.store(forecasts, epoch=epoch)
    key = forecasts[0].key
    score = ForecastScore(
        key=key,
        method="flat",
        horizon=timedelta(hours=1),
        scored=4,
        wape=None,
        bias=0.1,
        pinball=3.0,
        coverage=((0.5, 0.4),),
    )
    world.stores.forecasts.store_scores([score], NOON, epoch=epoch)
    champion = Champion(key=key, method="flat", since=NOON, reason="won", losses=(("flat", 1.0),))
    world.stores.forecasts.store_champions([champion], epoch=epoch)


async def test_forecasts_are_listed_in_pages_by_filter() -> None:
    async with a_world() as world:
        with_forecasts(world)
        request = forecast_pb2.ListForecastsRequest(page_size=3)
        seen: list[Any] = []
        while True:
            page = await world.client.forecasts.ListForecasts(request)
            seen += [forecast_from_wire("f", forecast) for forecast in page.forecasts]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert len({forecast.key for forecast in seen}) == len(seen) == 8
        chosen = forecast_pb2.SeriesFilter(origin_regions=["*"], models=["beta"])
        few = await world.client.forecasts.ListForecasts(
            forecast_pb2.ListForecastsRequest(filter=chosen)
        )
        assert len(few.forecasts) == 2


async def test_one_forecast_is_found_by_series_and_instant() -> None:
    async with a_world() as world:
        with_forecasts(world)
        key = a_forecast().key
        request = forecast_pb2.GetForecastRequest(series=series_to_wire(key))
        response = await world.client.forecasts.GetForecast(request)
        assert forecast_from_wire("f", response.forecast) == a_forecast()
        request.at.CopyFrom(instant_to_wire(NOON - timedelta(days=1)))
        error = await error_in(world.client.forecasts.GetForecast(request))
        assert type(error) is UnknownForecast
        nothing = forecast_pb2.GetForecastRequest()
        error = await error_in(world.client.forecasts.GetForecast(nothing))
        assert isinstance(error, InvalidInput)


async def test_accuracy_shows_scores_and_champions() -> None:
    async with a_world() as world:
        with_forecasts(world)
        request = forecast_pb2.GetForecastAccuracyRequest()
        response = await world.client.forecasts.GetForecastAccuracy(request)
        scores = tuple(score_from_wire("s", score) for score in response.scores)
        assert scores == world.stores.forecasts.scores()
        champions = tuple(champion_from_wire("c", one) for one in response.champions)
        assert champions == world.stores.forecasts.champions()
        request.methods.append("other")
        assert not (await world.client.forecasts.GetForecastAccuracy(request)).scores
        request.filter.models.append("gpt-0")
        error = await error_in(world.client.forecasts.GetForecastAccuracy(request))
        assert type(error) is UnknownModel


async def test_health_says_that_every_conversation_is_served() -> None:
    async with a_world() as world:
        health: Any = health_pb2_grpc.HealthStub(world.client.channel)
        for service in ("", "heliostat.v1.FleetService", "heliostat.v1.UsageService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_the_conversations() -> None:
    async with a_world() as world:
        channel: Any = world.client.channel  # the stubs know the blocking kind only
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = [a async for a in stub.ServerReflectionInfo(iter([request]))]
        names = {service.name for service in answer.list_services_response.service}
        assert {f"heliostat.v1.{n}Service" for n in ("Usage", "Routing", "Fleet", "Plan")} <= names


async def test_metrics_tell_what_was_decided() -> None:
    port = free_port()
    async with a_world(targets={POOL: 3}, metrics_listen=f"127.0.0.1:{port}") as world:
        await world.tick(Tick.REPLAN, Tick.REROUTE)
        await error_in(world.client.plans.GetPlan(plan_pb2.GetPlanRequest(version=9)))
        page = scrape(port)
        pool = 'model="alpha",region="east",vm_type="small"'
        assert f"heliostat_desired_replicas{{{pool}}} 3.0" in page
        assert "heliostat_plan_age_seconds 0.0" in page
        assert "heliostat_leading 1.0" in page
        assert 'heliostat_calls_total{method="GetPlan",reason="UNKNOWN_PLAN"} 1.0' in page
        assert 'heliostat_decision_total{action="plan",reason="solved"} 1.0' in page


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text: bytes = answer.read()
    return text.decode()
