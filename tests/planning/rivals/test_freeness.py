"""Llumnix: grow when free memory per running request is low, shrink when it is high."""

from planning.rivals.freeness import FreenessRule, FreenessSettings
from planning.rivals.replica_load import BLOCK_TOKENS, replica_load
from tests.builders import a_catalogue
from tests.planning.rivals.seen import POOL, a_look, wanted

BLOCKS = a_catalogue().law(POOL.model, POOL.vm_type).kv_tokens / BLOCK_TOKENS
PUBLISHED = FreenessRule(settings=FreenessSettings(tuned=False, headroom=0.0))
TUNED = FreenessRule(settings=FreenessSettings(headroom=0.5))


def running_at(freeness: float, occupancy: float = 0.5) -> int:
    """Requests on ten replicas that leave so many free blocks each."""
    return round(10 * BLOCKS * (1 - occupancy) / freeness)


def test_published_thresholds_are_10_and_60_free_blocks_per_request() -> None:
    for freeness, count in ((9, 11), (11, 10), (59, 10), (61, 9)):
        look = a_look(running_requests=running_at(freeness), waiting_requests=0, kv_occupancy=0.5)
        assert wanted(PUBLISHED, look) == count


def test_what_waits_counts_as_if_it_held_its_memory() -> None:
    running = running_at(61)
    load = replica_load(a_look(), POOL)
    assert load is not None
    freed = running * 55 / load.request_blocks
    look = a_look(running_requests=running, waiting_requests=round(freed), kv_occupancy=0.5)
    assert wanted(PUBLISHED, look) == 11


def test_what_is_coming_counts_as_free_and_stops_it_from_shrinking() -> None:
    running = running_at(9)
    tight = a_look(running_requests=running, waiting_requests=0, kv_occupancy=0.5)
    coming = a_look(
        running_requests=running, waiting_requests=0, kv_occupancy=0.5, loading=2, desired=12
    )
    idle = a_look(running_requests=1, waiting_requests=0, kv_occupancy=0.0, loading=2, desired=12)
    assert [wanted(PUBLISHED, look) for look in (tight, coming, idle)] == [11, 12, 12]


def test_an_idle_pool_shrinks_and_a_queue_before_one_grows_it() -> None:
    idle = a_look(running_requests=0, waiting_requests=0, kv_occupancy=0.0)
    queue = a_look(running_requests=0, waiting_requests=10**6, kv_occupancy=0.0)
    assert [wanted(TUNED, look) for look in (idle, queue)] == [9, 11]


def test_tuned_thresholds_are_the_loads_of_one_minus_headroom_and_20_points_below() -> None:
    load = replica_load(a_look(), POOL)
    assert load is not None

    def at(share: float) -> int:
        running = 10 * load.in_flight(share)
        used = running * load.request_blocks / (10 * BLOCKS)
        return wanted(
            TUNED,
            a_look(running_requests=round(running), waiting_requests=0, kv_occupancy=used),
        )

    assert [at(share) for share in (0.72, 0.6, 0.4)] == [11, 10, 9]


def test_a_pool_whose_memory_nobody_measured_stays() -> None:
    assert wanted(TUNED, a_look(running_requests=1, waiting_requests=0)) == 10
    assert wanted(TUNED, a_look(kv_occupancy=0.0)) == 10
