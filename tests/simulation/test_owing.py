"""What is left at the end is owed at what the same model's finished work cost."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from simulation.engine import TierTally
from simulation.owing import gpu_hours_owed

LARGE, SMALL = ModelName("large"), ModelName("small")


def a_key(model: ModelName = LARGE, tier: Tier = Tier.BATCH, origin: str = "east") -> DemandKey:
    return DemandKey(origin=RegionName(origin), model=model, tier=tier)


def a_tally(
    done: int, left: int, *, shed: int = 0, prompt: int = 100, output: int = 50
) -> TierTally:
    offered = done + left + shed
    return TierTally(
        offered=offered,
        admitted=done + left,
        shed=shed,
        completed=done,
        input_tokens=offered * prompt,
        output_tokens=done * output,
    )


@pytest.mark.parametrize(
    ("tallies", "owed"),
    [
        ({a_key(): a_tally(90, 10)}, 90.0 / 9),
        ({a_key(): a_tally(100, 0, shed=50)}, 0.0),
        ({a_key(): a_tally(0, 10)}, 0.0),
        ({}, 0.0),
        # Three quarters of what is done is long, so a long request left costs more than a short one.
        (
            {
                a_key(): a_tally(50, 50, prompt=200, output=100),
                a_key(tier=Tier.INTERACTIVE_FAST): a_tally(50, 0, prompt=60, output=40),
            },
            90.0 * 50 * 300 / (50 * 300 + 50 * 100),
        ),
        # Nothing of the tier was finished: it is as long as the model's others.
        (
            {a_key(): a_tally(0, 10), a_key(tier=Tier.INTERACTIVE_FAST): a_tally(40, 0)},
            90.0 * 10 / 40,
        ),
        # Nothing of the model was finished: a token costs what it costs elsewhere.
        (
            {a_key(SMALL): a_tally(0, 15), a_key(): a_tally(100, 0)},
            (90.0 + 10.0) * (15 * 100) / (100 * 150),
        ),
        ({a_key(): a_tally(45, 5), a_key(origin="west"): a_tally(45, 5)}, 10.0),
    ],
)
def test_work_left_costs_what_the_models_finished_work_did(
    tallies: Mapping[DemandKey, TierTally], owed: float
) -> None:
    assert gpu_hours_owed({LARGE: 90.0, SMALL: 10.0}, tallies) == pytest.approx(owed)


@given(done=st.integers(1, 500), left=st.integers(0, 500), more=st.integers(1, 100))
def test_who_leaves_more_owes_more(done: int, left: int, more: int) -> None:
    less, other = (
        gpu_hours_owed({LARGE: 90.0}, {a_key(): a_tally(done, count)})
        for count in (left, left + more)
    )
    assert 0.0 <= less < other
