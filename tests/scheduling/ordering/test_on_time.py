"""Moore and Hodgson's rule: nobody keeps more promises when batches hold one request."""

from hypothesis import given, settings

from scheduling.ordering.exhaustive import Exhaustive
from scheduling.ordering.goal import Goal
from scheduling.ordering.on_time import MostOnTime, most_on_time
from scheduling.ordering.port import Queue
from scheduling.ordering.tables import tables_of
from tests.scheduling.ordering.builders import a_queue, a_request, chance, queues, until


@given(queue=queues(most=7, cap=1))
@settings(max_examples=60)
def test_no_order_of_single_requests_keeps_more_promises(queue: Queue) -> None:
    tables = tables_of(queue)
    if not tables.count:
        return
    ours = tables.plan(most_on_time(tables)).expected.met
    assert ours == Exhaustive(goal=Goal.KEPT).order(queue, chance()).expected.met


def test_who_is_given_up_comes_last_the_shortest_first() -> None:
    """Two of five seconds fit into ten; of the three the longest is given up, as is who never fits."""
    queue = a_queue(
        a_request("long", output=190.0, promise=until(10.0)),
        a_request("a", output=150.0, promise=until(10.0)),
        a_request("b", output=150.0, promise=until(10.1)),
        a_request("never", output=600.0, promise=until(2.0)),
        cap=1,
    )
    ordered = MostOnTime().order(queue, chance())
    assert [one.id for one in ordered.sequence] == ["a", "b", "long", "never"]
    assert ordered.expected.met == 2
