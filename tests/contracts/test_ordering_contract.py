"""What every ordering promises: nobody lost, caps kept, figures true, the same chance the same order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from heliostat.errors import InvalidInput
from scheduling.ordering.port import Ordered, Queue
from scheduling.ordering.registry import ORDERINGS
from scheduling.ordering.tables import places, tables_of
from tests.scheduling.ordering.builders import a_queue, a_request, chance, queues


def names(ordered: Ordered) -> list[str]:
    return [request.id for request in ordered.sequence]


def expected_again(queue: Queue, ordered: Ordered) -> tuple[int, float]:
    """n and t of an answer, weighed anew from its batches."""
    where = {request.id: place for place, request in enumerate(queue.requests)}
    first = places(np.cumsum([0, *map(len, ordered.batches)]))
    plan = tables_of(queue).plan(places([where[name] for name in names(ordered)]), first)
    return plan.expected.met, plan.expected.seconds


@pytest.mark.parametrize("name", ORDERINGS)
@given(queue=queues())
@settings(max_examples=15)
def test_every_request_stands_in_one_batch_within_the_cap(name: str, queue: Queue) -> None:
    ordered = ORDERINGS[name].order(queue, chance())
    assert sorted(names(ordered)) == sorted(request.id for request in queue.requests)
    assert all(1 <= len(batch) <= queue.batch_cap for batch in ordered.batches)
    assert ordered.reason
    met, seconds = expected_again(queue, ordered)
    assert ordered.expected.met == met
    assert ordered.expected.seconds == pytest.approx(seconds)


@pytest.mark.parametrize("name", ORDERINGS)
def test_an_empty_queue_has_an_empty_order(name: str) -> None:
    ordered = ORDERINGS[name].order(a_queue(), chance())
    assert ordered.batches == ()
    assert ordered.expected.gain == 0


@pytest.mark.parametrize("name", ORDERINGS)
@given(queue=queues())
@settings(max_examples=10)
def test_the_same_chance_gives_the_same_order(name: str, queue: Queue) -> None:
    ordering = ORDERINGS[name]
    assert ordering.order(queue, chance(7)) == ordering.order(queue, chance(7))


@pytest.mark.parametrize("name", ORDERINGS)
def test_a_request_without_prediction_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="predicted"):
        ORDERINGS[name].order(a_queue(a_request(predicted=None)), chance())


@pytest.mark.parametrize("name", ORDERINGS)
def test_a_request_from_the_future_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="arrival"):
        ORDERINGS[name].order(a_queue(a_request(arrival=1.0), now=0.5), chance())
