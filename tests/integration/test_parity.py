"""Two worlds, one truth: the demo's wiring over gRPC and SQLite plans as the simulator's in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from heliostat.model.governance import Mode, ModeSetting
from heliostat.model.instants import Span
from heliostat.model.names import EVERYWHERE
from heliostat.model.plan import CapacityPlan, PlanStatus
from heliostat.model.routing import RoutingTable
from heliostat.ports.decisions import Decision
from heliostat.ports.stores import Stores
from planning.house_policies import POOLED, house_policy
from services.demo.backfill import back_fill
from services.demo.bootstrap import agent_of, cast_of, loop_settings, rhythm_of
from services.demo.coordinator import Coordinator
from services.demo.demand import demo_demand, whole
from services.demo.settings import DemoSettings
from simulation.accounts import Accounts
from simulation.bootstrap import heliostat_policy, simulated_world
from simulation.policies.routers import BALANCED, PLAN_FLOWS
from storage.catalogue_file import read_catalogue
from tests.simulation.workload.samples import series_file

_BIN = timedelta(minutes=10)


class Case:
    """What both worlds run: a few hours on the demand that the settings name."""

    def __init__(self, settings: DemoSettings) -> None:
        self.settings = settings
        self.catalogue = read_catalogue(settings.catalogue)
        self.demand = demo_demand(settings, self.catalogue)
        self.hours = Span(settings.day_start, settings.day_end)


async def _live(
    case: Case, place: Path
) -> tuple[tuple[CapacityPlan, ...], tuple[RoutingTable, ...], Accounts]:
    cast = cast_of(case.settings, case.catalogue, case.demand.day, place)
    await cast.plane.start()
    back_fill(
        cast.plane.stores.usage, case.demand.history, moved=lambda _: None, stopped=lambda: False
    )
    setting = ModeSetting(
        region=EVERYWHERE, mode=Mode.ACTIVE, author="test", reason="parity", at=case.hours.start
    )
    cast.plane.stores.decisions.commit(Decision(mode=setting), epoch=cast.plane.leader.epoch())
    agents = [agent_of(cast, region.name, place) for region in case.catalogue.regions]
    for agent in agents:
        await agent.start()
    coordinator = Coordinator(cast, agents, rhythm_of(case.settings))
    try:
        for now in (*case.hours.steps(case.settings.step), case.hours.end):
            await coordinator.step(now)
        return (
            _plans(case, cast.plane.stores),
            cast.plane.stores.routing.latest_tables(),
            cast.accountant.accounts(case.hours.end),
        )
    finally:
        coordinator.close()
        for agent in agents:
            await agent.stop(0.5)
        await cast.plane.stop()


def _simulated(
    case: Case,
) -> tuple[tuple[CapacityPlan, ...], tuple[RoutingTable, ...], Accounts]:
    house = house_policy(case.settings.policy)
    policy = heliostat_policy(
        case.catalogue, house.settings, router=BALANCED if house.pooled_within else PLAN_FLOWS
    )
    policy = replace(policy, rhythm=rhythm_of(case.settings))
    world = simulated_world(
        catalogue=case.catalogue,
        arrivals=whole(case.demand),
        begins=case.hours.start,
        policy=policy,
        seed=case.settings.seed,
        settings=loop_settings(),
    )
    world.run_until(case.hours.end)
    return _plans(case, world.stores), world.stores.routing.latest_tables(), world.accounts()


def _plans(case: Case, stores: Stores) -> tuple[CapacityPlan, ...]:
    """Every plan, without the CPU seconds that its solve happened to take."""
    plans = stores.plans.plans(Span(case.hours.start, case.hours.end + case.settings.step))
    return tuple(
        replace(plan, solve=None if plan.solve is None else replace(plan.solve, cpu_seconds=0.0))
        for plan in plans
    )


def _synthesised(_: Path) -> DemoSettings:
    return DemoSettings(headless=True, hours=2, history_days=2, seed=7)


def _pooled(_: Path) -> DemoSettings:
    return DemoSettings(headless=True, hours=2, history_days=2, seed=7, policy=POOLED)


def _with_holes(place: Path) -> DemoSettings:
    """Nine days of two tenants; every seventh and ninth ten minutes are missing."""
    bins = int(timedelta(days=9) / _BIN)
    values = {
        name: [None if number % every == 0 else 40.0 + number % 13 for number in range(bins)]
        for name, every in (("one", 7), ("two", 9))
    }
    trace = series_file(place, values, step=_BIN)
    return DemoSettings(headless=True, hours=2, history_days=2, trace=trace, seed=7)


@pytest.mark.parametrize("made", [_synthesised, _pooled, _with_holes])
async def test_live_and_simulated_wiring_decide_alike(
    made: Callable[[Path], DemoSettings], tmp_path: Path
) -> None:
    case = Case(made(tmp_path))
    plans, tables, accounts = await _live(case, tmp_path)
    expected_plans, expected_tables, expected_accounts = _simulated(case)
    assert len(plans) == case.settings.hours * 4 + 1
    assert all(plan.status is PlanStatus.SOLVED for plan in plans), "the wall-clock fuse blew"
    assert any(target.replicas != target.current for target in plans[-1].targets)
    for plan, expected in zip(plans, expected_plans, strict=True):
        assert plan == expected, f"the worlds part at {plan.created_at}"
    for table, expected_table in zip(tables, expected_tables, strict=True):
        assert table.same_routes(expected_table)
    assert accounts == expected_accounts
