"""How the fluid's gateways split a minute: by the table, whole, with nothing lost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.names import RegionName, Tier
from heliostat.model.routing import MILLION, RouteEntry, RouteShare, RoutingTable
from simulation.fluid.gateways import Gateways
from simulation.fluid.grid import TIERS, Grid
from simulation.fluid.offered import Arrival
from tests.builders import MINUTE, NOON, a_catalogue, a_demand, a_pool

GRID = Grid(a_catalogue())
ALL_READY = GRID.pools({pool.key: 1.0 for pool in a_catalogue().pools})
ONLY_WEST = GRID.pools({a_pool(region="west"): 1.0})
EAST, WEST = RegionName("east"), RegionName("west")
NORMAL = TIERS.index(Tier.INTERACTIVE_NORMAL)


def a_table(east: int, west: int, *, fallback: tuple[RegionName, ...] = ()) -> RoutingTable:
    shares = tuple(
        RouteShare(serving=region, weight_ppm=weight, ingress_endpoint="")
        for region, weight in ((EAST, east), (WEST, west))
        if weight
    )
    entry = RouteEntry(
        model=a_demand().model,
        tier=Tier.INTERACTIVE_NORMAL,
        shares=shares,
        shed_ppm=MILLION - east - west,
        fallback=fallback,
    )
    return RoutingTable(
        origin=EAST, valid_from=NOON, stale_after=5 * MINUTE, entries=(entry,), version="1"
    )


def an_arrival(offered: int = 100, tokens: int = 1000) -> Arrival:
    return Arrival(
        demand=a_demand(),
        offered=offered,
        input_tokens=offered * tokens,
        output_tokens=offered * tokens // 10,
    )


def sent(
    table: RoutingTable | None, ready: np.ndarray = ALL_READY, offered: int = 100
) -> list[int]:
    """Requests sent east, west and nowhere."""
    tables = {} if table is None else {EAST: table}
    split = Gateways(GRID).split([an_arrival(offered)], tables, ready)
    return [*split.offered[:, 0, NORMAL, 0].tolist(), int(split.shed[0, NORMAL, 0])]


def test_requests_are_split_as_the_table_says() -> None:
    assert sent(a_table(700_000, 200_000)) == [70, 20, 10]


def test_without_a_table_requests_stay_at_home() -> None:
    assert sent(None) == [100, 0, 0]


def test_without_a_table_and_without_replicas_at_home_the_nearest_region_serves() -> None:
    assert sent(None, ONLY_WEST) == [0, 100, 0]


def test_a_share_whose_region_has_nothing_ready_takes_the_fallback() -> None:
    assert sent(a_table(MILLION, 0, fallback=(EAST, WEST)), ONLY_WEST) == [0, 100, 0]


def test_a_share_without_a_ready_fallback_is_shed() -> None:
    assert sent(a_table(600_000, 400_000), ONLY_WEST) == [0, 40, 60]


def test_nothing_ready_anywhere_sheds_everything() -> None:
    assert sent(None, np.zeros_like(ALL_READY)) == [0, 0, 100]


def test_single_requests_follow_the_shares_in_the_long_run() -> None:
    gateways, table = Gateways(GRID), a_table(700_000, 300_000)
    total = np.zeros(2)
    for _ in range(100):
        split = gateways.split([an_arrival(1)], {EAST: table}, ALL_READY)
        total += split.offered[:, 0, NORMAL, 0]
    assert total.tolist() == [70, 30]


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=20),
    st.integers(0, MILLION),
    st.integers(0, MILLION),
    st.integers(0, 3),
)
def test_no_request_and_no_token_is_lost_or_made(
    offered: list[int], first: int, second: int, tokens: int
) -> None:
    low, high = sorted((first, second))
    gateways, table = Gateways(GRID), a_table(low, high - low)
    for count in offered:
        split = gateways.split([an_arrival(count, tokens)], {EAST: table}, ALL_READY)
        for sent_on, shed, total in (
            (split.offered, split.shed, count),
            (split.input_tokens, split.shed_input_tokens, count * tokens),
            (split.output_tokens, split.shed_output_tokens, count * tokens // 10),
        ):
            assert sent_on.sum() + shed.sum() == total
            assert sent_on.min() >= 0
            assert shed.min() >= 0


def test_models_and_tiers_do_not_mix() -> None:
    other = Arrival(
        demand=a_demand(origin="west", model="beta", tier=Tier.BATCH),
        offered=7,
        input_tokens=70,
        output_tokens=7,
    )
    split = Gateways(GRID).split([other], {}, ALL_READY)
    places = np.argwhere(split.offered).tolist()
    assert places == [[1, 1, TIERS.index(Tier.BATCH), 1]]
