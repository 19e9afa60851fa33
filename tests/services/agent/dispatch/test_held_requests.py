"""Of those who wait in memory the stricter tier goes in front, and the oldest of no tier is left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.dispatch import Queued
from heliostat.model.names import Tier
from scheduling.lengths.prediction import LengthPrediction
from scheduling.request import Promise, Request
from services.agent.dispatch.held_requests import Held, Holding
from services.agent.dispatch.patience import HoldingRules
from tests.support.dispatching import ALPHA, Counter, an_ask, an_endpoint

LIMIT = 5


def held(name: str, tier: Tier, arrival: float) -> Held:
    """Somebody who came then."""
    request = Request(
        id=name,
        model=ALPHA,
        tier=tier,
        input_tokens=100,
        arrival=arrival,
        promise=Promise(ttft_seconds=1.0, itl_seconds=1.0),
        predicted=LengthPrediction.exactly(10.0),
    )
    ask = an_ask(name, tier=tier)
    return Held(ask=ask, request=request, gateway_id="gw", attempt=1, until=arrival + 1, why="")


@given(came=st.lists(st.tuples(st.sampled_from(Tier), st.booleans()), max_size=30))
def test_in_front_are_the_oldest_of_every_tier_and_then_the_stricter_ones(
    came: list[tuple[Tier, bool]],
) -> None:
    holding = Holding(most=100)
    all_of_them = [held(f"r{number}", tier, float(number)) for number, (tier, _) in enumerate(came)]
    for one in all_of_them:
        holding.add(one)
    here = []
    for one, (_, stays) in zip(all_of_them, came, strict=True):
        if stays:
            here.append(one)
        else:
            assert holding.drop(one.request.id) is one
    here.sort(key=lambda one: (list(Tier).index(one.ask.tier), one.request.arrival))
    oldest = [next((one for one in here if one.ask.tier is tier), None) for tier in Tier]
    others = [one for one in here if one not in oldest]
    chosen = [one for one in oldest if one is not None]
    chosen += others[: LIMIT - len(chosen)]
    front = holding.fronts(LIMIT).get(ALPHA, ())
    assert list(front) == sorted(chosen, key=here.index)
    assert holding.waiting(ALPHA) == len(here)


async def test_who_waited_longest_goes_first_however_many_of_a_stricter_tier_wait(
    desk: Counter,
) -> None:
    await desk.show(an_endpoint())
    running, oldest = desk.fill()
    desk.seconds += 0.1
    for number in range(2 * HoldingRules().tries_a_beat):
        assert isinstance(desk.ask(f"strict-{number}").outcome, Queued)
    placed = await desk.placed_when_these_end(running)
    assert placed[0] == oldest
