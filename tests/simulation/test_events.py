"""The event queue: time, then priority, then order of arrival."""

from hypothesis import given
from hypothesis import strategies as st

from simulation.events import EventQueue
from tests.builders import MINUTE, NOON


def test_time_decides_then_priority_then_order_of_arrival() -> None:
    queue: EventQueue[str] = EventQueue()
    queue.push(NOON + MINUTE, "later")
    queue.push(NOON, "second", priority=1)
    queue.push(NOON, "third", priority=1)
    queue.push(NOON, "first", priority=0)
    assert [event for _, event in queue.due(NOON + MINUTE)] == [
        "first",
        "second",
        "third",
        "later",
    ]


def test_events_after_the_asked_instant_stay_in_the_queue() -> None:
    queue: EventQueue[str] = EventQueue()
    queue.push(NOON, "now")
    queue.push(NOON + MINUTE, "later")
    assert list(queue.due(NOON)) == [(NOON, "now")]
    assert queue.next_at == NOON + MINUTE
    assert len(queue) == 1


def test_an_event_pushed_while_events_happen_is_not_missed() -> None:
    queue: EventQueue[int] = EventQueue()
    queue.push(NOON, 0)
    seen = []
    for at, event in queue.due(NOON + MINUTE):
        seen.append(event)
        if event < 2:
            queue.push(at, event + 1)
    assert seen == [0, 1, 2]


def test_an_empty_queue_has_no_next_event() -> None:
    queue: EventQueue[str] = EventQueue()
    assert queue.next_at is None
    assert list(queue.due(NOON)) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=40))
def test_events_come_in_a_stable_order_whatever_was_pushed(pushes: list[tuple[int, int]]) -> None:
    queue: EventQueue[int] = EventQueue()
    for number, (minute, priority) in enumerate(pushes):
        queue.push(NOON + MINUTE * minute, number, priority=priority)
    order = [event for _, event in queue.due(NOON + MINUTE * 10)]
    assert order == sorted(range(len(pushes)), key=lambda number: (*pushes[number], number))
