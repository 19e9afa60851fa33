"""Two worlds, one truth: the demo's wiring over gRPC and SQLite plans as the simulator's in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from heliostat.model.governance import Mode, ModeSetting
from heliostat.model.instants import Span
from heliostat.model.names import EVERYWHERE
from heliostat.model.plan import CapacityPlan, PlanStatus
from heliostat.model.routing import RoutingTable
from heliostat.ports.stores import Stores
from services.demo.backfill import back_fill
from services.demo.bootstrap import agent_of, cast_of, loop_settings, rhythm_of
from services.demo.coordinator import Coordinator
from services.demo.demand import demo_demand, whole
from services.demo.settings import DemoSettings
from simulation.accounts import Accounts
from simulation.bootstrap import heliostat_policy, simulated_world
from storage.catalogue_file import read_catalogue

SETTINGS = DemoSettings(headless=True, hours=3, history_days=2, seed=7)
CATALOGUE = read_catalogue(SETTINGS.catalogue)
DEMAND = demo_demand(SETTINGS, CATALOGUE)
DAY = Span(SETTINGS.day_start, SETTINGS.day_end)


async def _live(place: Path) -> tuple[tuple[CapacityPlan, ...], tuple[RoutingTable, ...], Accounts]:
    cast = cast_of(SETTINGS, CATALOGUE, DEMAND.day, place)
    await cast.plane.start()
    back_fill(cast.plane.stores.usage, DEMAND.history, moved=lambda _: None, stopped=lambda: False)
    setting = ModeSetting(
        region=EVERYWHERE, mode=Mode.ACTIVE, author="test", reason="parity", at=DAY.start
    )
    from heliostat.ports.decisions import Decision

    cast.plane.stores.decisions.commit(Decision(mode=setting), epoch=cast.plane.leader.epoch())
    agents = [agent_of(cast, region.name, place) for region in CATALOGUE.regions]
    for agent in agents:
        await agent.start()
    coordinator = Coordinator(cast, agents, rhythm_of(SETTINGS))
    try:
        for now in (*DAY.steps(SETTINGS.step), DAY.end):
            await coordinator.step(now)
        return (
            _plans(cast.plane.stores),
            cast.plane.stores.routing.latest_tables(),
            cast.accountant.accounts(DAY.end),
        )
    finally:
        coordinator.close()
        for agent in agents:
            await agent.stop(0.5)
        await cast.plane.stop()


def _simulated() -> tuple[tuple[CapacityPlan, ...], tuple[RoutingTable, ...], Accounts]:
    policy = replace(heliostat_policy(CATALOGUE), rhythm=rhythm_of(SETTINGS))
    world = simulated_world(
        catalogue=CATALOGUE,
        arrivals=whole(DEMAND),
        begins=DAY.start,
        policy=policy,
        seed=SETTINGS.seed,
        settings=loop_settings(),
    )
    world.run_until(DAY.end)
    return _plans(world.stores), world.stores.routing.latest_tables(), world.accounts()


def _plans(stores: Stores) -> tuple[CapacityPlan, ...]:
    """Every plan, without the CPU seconds that its solve happened to take."""
    plans = stores.plans.plans(Span(DAY.start, DAY.end + SETTINGS.step))
    return tuple(
        replace(plan, solve=None if plan.solve is None else replace(plan.solve, cpu_seconds=0.0))
        for plan in plans
    )


async def test_live_and_simulated_wiring_decide_alike(tmp_path: Path) -> None:
    plans, tables, accounts = await _live(tmp_path)
    expected_plans, expected_tables, expected_accounts = _simulated()
    assert len(plans) == SETTINGS.hours * 4 + 1
    assert all(plan.status is PlanStatus.SOLVED for plan in plans), "the wall-clock fuse blew"
    assert any(target.replicas != target.current for target in plans[-1].targets)
    for plan, expected in zip(plans, expected_plans, strict=True):
        assert plan == expected, f"the worlds part at {plan.created_at}"
    for table, expected_table in zip(tables, expected_tables, strict=True):
        assert table.same_routes(expected_table)
    assert accounts == expected_accounts
