"""What replicas get done in a minute of fluid, against laws worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.names import Tier
from simulation.columns import Floats
from simulation.fluid.grid import TIERS, Grid
from simulation.fluid.service import BATCH_KEEPS_TOKEN_GAP, Served, Service
from tests.builders import a_catalogue, a_pool

CATALOGUE = a_catalogue()
GRID = Grid(CATALOGUE)
SAME_PROMPTS = np.array([1.0])
FAST, NORMAL, BATCH = range(3)
LAW = CATALOGUE.law(a_pool().model, a_pool().vm_type)
I, O = 1000.0, 100.0  # noqa: E741  # the letters of the engine laws
LARGEST = min(LAW.max_batch, LAW.kv_tokens // (I + O))
WORK = LAW.prefill_seconds(I) + O * LAW.decode_seconds(LARGEST, I + O / 2) / LARGEST


def minute(fast: float = 0, normal: float = 0, batch: float = 0, replicas: float = 2.0) -> Served:
    """Requests of model alpha in region east, on replicas of VM type small alone."""
    wanted = np.zeros(GRID.shape[:3])
    wanted[0, 0] = fast, normal, batch
    prompt, output = np.full_like(wanted, I), np.full_like(wanted, O)
    ready = GRID.pools({a_pool(): replicas})
    return Service(GRID, SAME_PROMPTS).minute(wanted, prompt, output, ready)


def at(array: Floats) -> Floats:
    return np.asarray(array[GRID.place(a_pool())])


def test_light_demand_is_served_whole() -> None:
    served = minute(fast=10, normal=5, batch=1)
    assert served.requests[0, 0].tolist() == pytest.approx([10, 5, 1])


def test_a_full_minute_starts_what_the_work_of_a_request_allows() -> None:
    served = minute(normal=10_000)
    assert served.requests[0, 0, NORMAL] == pytest.approx(2 * 60 / WORK)
    assert at(served.load) == pytest.approx(1.0)
    assert at(served.batch) == pytest.approx(LARGEST)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_batch_balances_tokens_and_obeys_littles_law(share: float) -> None:
    served = minute(normal=share * 2 * 60 / WORK)
    rate = served.requests[0, 0, NORMAL] / 60 / 2
    batch, gap = float(at(served.batch)), float(at(served.token_gap))
    prefill = LAW.prefill_seconds(I)
    iteration = LAW.decode_seconds(batch, I + O / 2)
    assert batch == pytest.approx(rate * O * iteration / (1 - rate * prefill))
    if batch >= 1:
        assert batch == pytest.approx(rate * O * gap)
    assert at(served.load) == pytest.approx(share)


def test_faster_tiers_are_served_first() -> None:
    most = 2 * 60 / WORK
    served = minute(fast=0.6 * most, normal=0.6 * most)
    assert served.requests[0, 0, FAST] == pytest.approx(0.6 * most)
    assert served.requests[0, 0, NORMAL] == pytest.approx(0.4 * most)


def test_batch_work_waits_where_it_would_stretch_interactive_tokens_beyond_their_promise() -> None:
    promise = CATALOGUE.model("alpha").tier(Tier.INTERACTIVE_FAST)
    assert promise is not None
    served = minute(fast=5, batch=10_000)
    assert 0 < served.requests[0, 0, BATCH] < 10_000
    assert at(served.token_gap) <= promise.slo.itl_seconds * BATCH_KEEPS_TOKEN_GAP * 1.01


def test_nothing_ready_serves_nothing() -> None:
    served = minute(fast=10, replicas=0.0)
    assert served.requests.sum() == 0
    assert np.isfinite(served.token_gap).all()


def test_pools_of_one_model_share_the_work_by_what_they_can_do() -> None:
    wanted = np.zeros(GRID.shape[:3])
    wanted[0, 0, NORMAL] = 50
    ready = GRID.pools({a_pool(): 2.0, a_pool(vm_type="big"): 2.0})
    full = np.full_like(wanted, I)
    served = Service(GRID, SAME_PROMPTS).minute(wanted, full, full / 10, ready)
    small, big = served.by_pool[0, 0, :, NORMAL]
    assert small + big == pytest.approx(50)
    assert big > small > 0
    assert served.load[0, 0, 0] == pytest.approx(served.load[0, 0, 1])


@given(
    st.lists(st.floats(0, 1e4, allow_subnormal=False), min_size=3, max_size=3),
    st.floats(0, 50, allow_subnormal=False),
)
def test_work_is_conserved(wanted: list[float], replicas: float) -> None:
    served = minute(wanted[0], wanted[1], wanted[2], replicas=replicas)
    assert (served.requests[0, 0] <= np.array(wanted) * (1 + 1e-9)).all()
    work = (served.by_pool * served.work).sum()
    assert work <= 60 * replicas * (1 + 1e-9)
    assert work == pytest.approx(float(at(served.load)) * 60 * replicas, rel=1e-6, abs=1e-6)
    interactive_left = np.array(wanted)[:BATCH].sum() - served.requests[0, 0, :BATCH].sum()
    if interactive_left > 1e-6 and replicas > 1e-6:
        assert float(at(served.load)) == pytest.approx(1.0), "idle while requests wait"


def test_tiers_are_in_the_order_in_which_they_are_served() -> None:
    assert TIERS == (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL, Tier.BATCH)
