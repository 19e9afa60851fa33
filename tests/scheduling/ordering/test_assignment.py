"""Requests go to the instance with most free token capacity."""

from typing import Any

import pytest

from heliostat.errors import InvalidInput
from scheduling.ordering.assignment import Instance, assign, order_all
from scheduling.ordering.by_key import SJF
from tests.scheduling.ordering.builders import LATENCY, a_request, chance


def an_instance(name: str, free_tokens: float = 10_000, **changes: Any) -> Instance:
    values: dict[str, Any] = {"latency": LATENCY, "batch_cap": 2}
    return Instance(name=name, free_tokens=free_tokens, **(values | changes))


def test_the_freest_instance_gets_the_next_request() -> None:
    """600 tokens each: from 1,000 and 1,500 free, b takes two, then a, then b again."""
    requests = [a_request(str(n), arrival=-n) for n in range(4)]
    there = assign(requests, [an_instance("a", 1000), an_instance("b", 1500)])
    assert [one.id for one in there["b"]] == ["3", "1"]
    assert [one.id for one in there["a"]] == ["2", "0"]


def test_nobody_is_lost_when_no_instance_has_room() -> None:
    requests = [a_request(str(n)) for n in range(5)]
    there = assign(requests, [an_instance("a", 0), an_instance("b", -5)])
    assert sorted(one.id for queue in there.values() for one in queue) == list("01234")


def test_an_instance_without_requests_is_named_too() -> None:
    assert assign([], [an_instance("a")]) == {"a": ()}


def test_each_instance_is_ordered_by_itself() -> None:
    requests = [a_request("long", output=300.0), a_request("short", output=100.0)]
    ordered = order_all(requests, [an_instance("a")], SJF, 0.0, chance())
    assert [one.id for one in ordered["a"].sequence] == ["short", "long"]


@pytest.mark.parametrize("instances", [[], [an_instance("a"), an_instance("a")]])
def test_instances_are_one_name_each(instances: list[Instance]) -> None:
    with pytest.raises(InvalidInput, match="instances"):
        assign([], instances)


def test_a_request_without_prediction_takes_an_unknown_room() -> None:
    with pytest.raises(InvalidInput, match="predicted"):
        assign([a_request(predicted=None)], [an_instance("a")])
