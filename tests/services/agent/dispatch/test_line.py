"""Who waits in memory is tried in the order of an ordering, and whoever waited longest is always tried."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from heliostat.model.names import Tier
from scheduling.lengths.prediction import LengthPrediction
from scheduling.ordering.registry import ORDERINGS
from scheduling.request import Promise, Request
from services.agent.dispatch.held_requests import Held
from services.agent.dispatch.laws import PoolLaws
from services.agent.dispatch.line import Line
from services.agent.dispatch.replicas import Replicas
from services.agent.settings import ORDERS, DispatchSettings
from tests.builders import a_catalogue
from tests.support.agents import EAST
from tests.support.dispatching import ALPHA, NORMAL, Counter, an_ask, an_endpoint

NOW = 100.0


def held(name: str, *, output: float = 100.0, arrival: float = NOW, left: float = 1.0) -> Held:
    """It waits since `arrival` and may wait for `left` seconds more."""
    request = Request(
        id=name,
        model=ALPHA,
        tier=Tier.INTERACTIVE_NORMAL,
        input_tokens=100,
        arrival=arrival,
        promise=Promise(ttft_seconds=NOW - arrival + left, itl_seconds=1.0),
        predicted=LengthPrediction.exactly(output),
    )
    return Held(
        ask=an_ask(name), request=request, gateway_id="gw", attempt=1, until=NOW + left, why=""
    )


def a_line(name: str, *, replicas: int = 1, running: int = 1) -> Line:
    """Over replicas that run so many requests each."""
    standing = Replicas(EAST, PoolLaws(a_catalogue()), stale_after_seconds=30.0)
    standing.stand([an_endpoint(number) for number in range(replicas)], 0.0)
    workers = standing.workers(ALPHA)
    for number in range(replicas):
        workers.report(workers.name_of(number), 0.0, running=running, waiting=0, kv_tokens=0)
    return Line(standing, ORDERINGS[name], np.random.default_rng(1))


def turns(line: Line, *front: Held) -> list[str]:
    return [one.request.id for one in line.turns(ALPHA, front, NOW)]


def test_who_would_make_others_late_goes_last() -> None:
    front = (
        held("oldest", arrival=NOW - 1),
        held("endless", output=100_000.0, left=1.0),
        held("a", output=5.0, left=2.0),
        held("b", output=5.0, left=3.0),
    )
    assert turns(a_line("on-time"), *front) == ["oldest", "a", "b", "endless"]
    assert turns(a_line("edf"), *front)[1] == "endless"


def test_many_places_take_what_one_would_not() -> None:
    front = (held("oldest", arrival=NOW - 1), held("long", output=3000.0), held("short", left=1.5))
    assert turns(a_line("on-time", replicas=1), *front)[-1] == "long"
    assert turns(a_line("on-time", replicas=200, running=20), *front)[1] == "long"


@pytest.mark.parametrize("name", ORDERINGS)
def test_whatever_the_order_everybody_is_tried_and_the_oldest_first(name: str) -> None:
    chance = np.random.default_rng(3)
    front = [
        held(
            f"r{number}",
            output=float(chance.integers(1, 2000)),
            arrival=NOW - float(chance.random()),
            left=float(chance.random()) * 3 + 0.01,
        )
        for number in range(40)
    ]
    found = turns(a_line(name), *front)
    assert sorted(found) == sorted(one.request.id for one in front)
    assert found[0] == min(front, key=lambda one: one.request.arrival).request.id


@pytest.mark.parametrize("front", [[], [held("alone")]])
def test_one_alone_needs_no_order(front: Sequence[Held]) -> None:
    assert turns(a_line("on-time"), *front) == [one.request.id for one in front]


def test_without_a_replica_they_stay_in_line() -> None:
    front = (held("b", left=3.0), held("a", left=1.0))
    assert turns(a_line("edf", replicas=0), *front) == ["b", "a"]


def test_settings_name_every_ordering_there_is() -> None:
    assert set(ORDERS) == set(ORDERINGS)
    with pytest.raises(ValueError, match="order"):
        DispatchSettings(order="astrology")


async def test_the_oldest_gets_the_first_place_though_others_are_shorter(desk: Counter) -> None:
    await desk.show(an_endpoint())
    running, oldest = desk.fill()
    desk.seconds += 0.1
    desk.ask("short", tier=NORMAL, predicted_output_tokens=1.0, input_tokens=500)
    placed = await desk.placed_when_these_end(running)
    assert placed[0] == oldest
