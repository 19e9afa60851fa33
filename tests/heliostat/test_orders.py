"""Commands are absolute, made only for what differs, and only where the mode allows it."""

from datetime import timedelta

from heliostat.loops.orders import OrderBook
from heliostat.model.command import Command, CommandState, Order, RedeployOrder, ScaleOrder
from heliostat.model.governance import Mode, Modes, ModeSetting
from heliostat.model.names import EVERYWHERE, PoolKey, RegionName
from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget, Reason, Redeployment
from tests.builders import NOON, QUARTER, a_fleet, a_pool

SMALL, BIG = a_pool(vm_type="small"), a_pool(vm_type="big")
BETA = a_pool(model="beta", vm_type="small")
WEST = a_pool("west")


def plan(targets: dict[PoolKey, int], *moves: Redeployment) -> CapacityPlan:
    return CapacityPlan(
        created_at=NOON,
        policy="test",
        status=PlanStatus.SOLVED,
        first_step=NOON,
        step=QUARTER,
        targets=tuple(
            PoolTarget(pool=pool, replicas=n, current=0, reason=Reason(summary=f"wants {n}"))
            for pool, n in targets.items()
        ),
        redeployments=moves,
    )


def setting(region: str, mode: Mode) -> ModeSetting:
    return ModeSetting(region=RegionName(region), mode=mode, author="op", reason="test", at=NOON)


def book(
    standing: dict[PoolKey, int],
    *open_orders: Order,
    modes: tuple[ModeSetting, ...] = (setting(EVERYWHERE, Mode.ACTIVE),),
) -> OrderBook:
    return OrderBook(
        fleet=a_fleet(standing),
        open_commands=[
            Command(
                command_id=str(number),
                region=order.pools[0].region,
                order=order,
                reason="earlier",
                author="planner",
                created_at=NOON - QUARTER,
                not_after=NOON + QUARTER,
                state=CommandState.LEASED,
            )
            for number, order in enumerate(open_orders)
        ],
        modes=Modes(modes),
        lifetime=timedelta(hours=4),
    )


def orders(commands: tuple[Command, ...]) -> list[Order]:
    return [command.order for command in commands]


def test_a_pool_at_its_target_gets_no_command() -> None:
    assert book({SMALL: 3}).orders(plan({SMALL: 3}), now=NOON, author="planner") == ()


def test_a_difference_becomes_one_absolute_command_with_the_reason() -> None:
    (command,) = book({SMALL: 3, BIG: 2}).orders(
        plan({SMALL: 5, BIG: 2}), now=NOON, author="planner"
    )
    assert command.order == ScaleOrder(pool=SMALL, target_replicas=5)
    assert command.reason == "wants 5"
    assert command.not_after == NOON + timedelta(hours=4)
    assert command.command_id == ""


def test_what_is_under_way_already_is_not_ordered_again() -> None:
    underway = book({SMALL: 3}, ScaleOrder(pool=SMALL, target_replicas=5))
    assert underway.orders(plan({SMALL: 5}), now=NOON, author="planner") == ()
    (command,) = underway.orders(plan({SMALL: 3}), now=NOON, author="planner")
    assert command.order == ScaleOrder(pool=SMALL, target_replicas=3)


def test_the_newest_of_several_open_orders_counts() -> None:
    underway = book(
        {SMALL: 3},
        ScaleOrder(pool=SMALL, target_replicas=5),
        ScaleOrder(pool=SMALL, target_replicas=7),
    )
    assert underway.wanted(SMALL) == 7


def test_a_redeployment_goes_before_the_scaling_of_its_pools() -> None:
    move = Redeployment(source=SMALL, destination=BETA, replicas=2)
    made = book({SMALL: 5, BETA: 1}).orders(
        plan({SMALL: 3, BETA: 4}, move), now=NOON, author="planner"
    )
    assert orders(made) == [
        RedeployOrder(source=SMALL, source_target=3, destination=BETA, destination_target=4),
        ScaleOrder(pool=BETA, target_replicas=4),
    ]


def test_a_redeployment_that_explains_both_targets_needs_no_scaling() -> None:
    move = Redeployment(source=SMALL, destination=BETA, replicas=2)
    made = book({SMALL: 5, BETA: 1}).orders(
        plan({SMALL: 3, BETA: 3}, move), now=NOON, author="planner"
    )
    assert orders(made) == [
        RedeployOrder(source=SMALL, source_target=3, destination=BETA, destination_target=3)
    ]


def test_releases_go_before_purchases() -> None:
    made = book({SMALL: 1, BIG: 5}).orders(plan({SMALL: 4, BIG: 2}), now=NOON, author="planner")
    assert orders(made) == [
        ScaleOrder(pool=BIG, target_replicas=2),
        ScaleOrder(pool=SMALL, target_replicas=4),
    ]


def test_a_redeployment_that_is_done_already_is_not_ordered() -> None:
    move = Redeployment(source=SMALL, destination=BETA, replicas=2)
    assert (
        book({SMALL: 3, BETA: 4}).orders(
            plan({SMALL: 3, BETA: 4}, move), now=NOON, author="planner"
        )
        == ()
    )


def test_nothing_set_means_advisory_and_orders_nothing() -> None:
    assert book({SMALL: 1}, modes=()).orders(plan({SMALL: 5}), now=NOON, author="planner") == ()


def test_the_more_cautious_mode_wins() -> None:
    modes = (setting(EVERYWHERE, Mode.ACTIVE), setting("west", Mode.ADVISORY))
    made = book({SMALL: 1, WEST: 1}, modes=modes).orders(
        plan({SMALL: 5, WEST: 5}), now=NOON, author="planner"
    )
    assert orders(made) == [ScaleOrder(pool=SMALL, target_replicas=5)]
    modes = (setting(EVERYWHERE, Mode.PAUSED), setting("west", Mode.ACTIVE))
    assert Modes(modes).of(RegionName("west")) is Mode.PAUSED


def test_an_approved_plan_orders_in_advisory_regions_but_not_in_paused_ones() -> None:
    modes = (setting(EVERYWHERE, Mode.ADVISORY), setting("west", Mode.PAUSED))
    made = book({SMALL: 1, WEST: 1}, modes=modes).orders(
        plan({SMALL: 5, WEST: 5}), now=NOON, author="ada", least_mode=Mode.ADVISORY
    )
    assert orders(made) == [ScaleOrder(pool=SMALL, target_replicas=5)]
    assert made[0].author == "ada"
