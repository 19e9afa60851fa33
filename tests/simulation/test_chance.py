"""Seeded chance: by name, apart from all other chance, with the quantiles that were asked for."""

from datetime import timedelta

import numpy as np
import pytest

from simulation.chance import component, drawn_lead_time, generator


def test_the_same_name_draws_the_same_whatever_was_drawn_before() -> None:
    seeds = component(7, "region", "east")
    alone = generator(seeds, "lead time", 3).random()
    for number in range(3):
        generator(seeds, "lead time", number).random()
    assert generator(seeds, "lead time", 3).random() == alone


@pytest.mark.parametrize("other", [component(8, "region", "east"), component(7, "region", "west")])
def test_seeds_and_components_draw_apart(other: np.random.SeedSequence) -> None:
    here = generator(component(7, "region", "east"), "x").random()
    assert generator(other, "x").random() != here


def test_lead_times_have_the_quantiles_of_their_prior() -> None:
    rng = np.random.default_rng(1)
    p50, p90 = timedelta(minutes=8), timedelta(minutes=14)
    drawn = [drawn_lead_time(rng, p50, p90).total_seconds() for _ in range(20_000)]
    assert np.quantile(drawn, 0.5) == pytest.approx(480, rel=0.02)
    assert np.quantile(drawn, 0.9) == pytest.approx(840, rel=0.02)


def test_a_prior_without_spread_is_drawn_exactly() -> None:
    minute = timedelta(minutes=1)
    assert drawn_lead_time(np.random.default_rng(1), minute, minute) == minute
