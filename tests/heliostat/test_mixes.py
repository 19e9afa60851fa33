"""An origin's lengths are its own as far as its requests show it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.loops.mixes import ENOUGH_REQUESTS, learnt_mixes
from heliostat.model.demand import TokenMix
from heliostat.model.names import EVERYWHERE, ModelName, RegionName, Tier

EAST = RegionName("east")


def a_mix(origin: RegionName, tokens: float, requests: int) -> TokenMix:
    return TokenMix(
        origin=origin,
        model=ModelName("alpha"),
        tier=Tier.BATCH,
        input_tokens=tokens,
        output_tokens=tokens / 10,
        requests=requests,
    )


def east_of(mixes: tuple[TokenMix, ...]) -> float:
    return next(mix.input_tokens for mix in mixes if mix.origin == EAST)


@given(own=st.floats(1, 1e5), whole=st.floats(1, 1e5), requests=st.integers(1, 10**6))
def test_an_origins_lengths_lie_between_its_own_and_everybodys(
    own: float, whole: float, requests: int
) -> None:
    day = (a_mix(EVERYWHERE, whole, 10**6), a_mix(EAST, own, requests))
    low, high = sorted((own, whole))
    assert low * (1 - 1e-9) <= east_of(learnt_mixes(day, ())) <= high * (1 + 1e-9)


@pytest.mark.parametrize(
    ("requests", "tokens"), [(0, 1000.0), (ENOUGH_REQUESTS, 550.0), (10**9, 100.0)]
)
def test_the_more_requests_an_origin_had_the_more_its_own_lengths_count(
    requests: int, tokens: float
) -> None:
    day = (a_mix(EVERYWHERE, 1000.0, 10**9), a_mix(EAST, 100.0, requests))
    assert east_of(learnt_mixes(day, ())) == pytest.approx(tokens, rel=1e-4)


def test_an_origin_may_change_while_the_others_stay() -> None:
    day = (a_mix(EVERYWHERE, 1000.0, 10**9), a_mix(EAST, 1000.0, 10**7))
    hour = (a_mix(EVERYWHERE, 990.0, 10**7), a_mix(EAST, 100.0, 10**6))
    found = learnt_mixes(day, hour)
    assert found[0].input_tokens == 1000.0
    assert east_of(found) == pytest.approx(100.0, rel=0.01)
