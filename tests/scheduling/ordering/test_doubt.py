"""A queue as executed: batches as long as their expected longest, starts in doubt, flows without batches."""

import numpy as np
import pytest

from scheduling.ordering.doubt import as_executed
from scheduling.ordering.tables import filled, places, tables_of
from tests.scheduling.ordering.builders import a_queue, a_request, chance, until


def test_a_batch_lasts_as_long_as_the_expected_longest_of_its_members() -> None:
    tables = tables_of(a_queue(a_request(output=500.0, doubt=100.0), cap=8))
    executed = as_executed(tables)
    draws = chance().normal(500.0, 100.0, (20_000, 8)).max(axis=1).mean()
    rounds = (executed.lasts - tables.run)[:, 0] / tables.doubt[:, 0]
    assert rounds[0] == pytest.approx(0.0, abs=1e-9)
    assert 500.0 + 100.0 * rounds[7] == pytest.approx(draws, rel=0.01)


def test_what_is_certain_in_batches_of_one_stays_certain() -> None:
    tables = tables_of(a_queue(a_request("a"), a_request("b", promise=until(4.0)), cap=1))
    for order in ([0, 1], [1, 0]):
        hard = tables.weighed(places(order), filled(2, 1))
        soft = as_executed(tables).weighed(places(order), filled(2, 1), soft=True)
        assert soft == pytest.approx(hard)


def test_the_doubt_about_a_start_grows_with_the_doubt_before_it() -> None:
    """A promise that holds by a second is worth less the less is known of those in front."""
    kept = []
    for doubt in (0.0, 50.0, 200.0):
        queue = a_queue(
            *(a_request(str(n), output=90.0, doubt=doubt) for n in range(3)),
            a_request("last"),
            cap=1,
        )
        executed = as_executed(tables_of(queue))
        kept.append(executed.weighed(places([0, 1, 2, 3]), filled(4, 1), soft=True)[0])
    assert kept[0] == 4
    assert kept[0] > kept[1] > kept[2] > 2


def test_with_continuous_batching_requests_flow_in_shares_of_a_full_batch() -> None:
    queue = a_queue(*(a_request(str(n)) for n in range(6)), cap=4, continuous=True)
    tables, executed = tables_of(queue), as_executed(tables_of(queue))
    assert executed.run.shape == executed.sharp.shape == (1, 6)
    assert np.allclose(executed.lasts, tables.run[-1:] / 4)


def test_what_the_model_leaves_out_widens_the_doubt_of_larger_batches() -> None:
    requests = [a_request(str(n)) for n in range(4)]
    one, batched, flowing = (
        as_executed(tables_of(a_queue(*requests, cap=cap, continuous=continuous))).sharp.max()
        for cap, continuous in ((1, True), (4, False), (4, True))
    )
    assert one > batched > flowing
