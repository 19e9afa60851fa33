"""Predictions of output lengths: what the past says, of whom, and how they follow it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.errors import InvalidInput, UnknownModel, UnknownTier
from heliostat.model.names import ModelName, Tier
from scheduling.lengths.gaussian import TaskLengths
from scheduling.lengths.histogram import LengthHistogram
from scheduling.lengths.online import Learning, OnlineLengths
from scheduling.lengths.oracle import oracle
from scheduling.lengths.prediction import LengthPrediction
from scheduling.rules.lengths import BINS, input_bin
from tests.builders import a_catalogue

CATALOGUE = a_catalogue()
MODEL = CATALOGUE.models[0].name
FAST = Tier.INTERACTIVE_FAST
ASSUMED = 100


def some_past(lengths: list[int] | None = None, *, prompt: int = 1000) -> OnlineLengths:
    online = OnlineLengths(CATALOGUE)
    for length in lengths or []:
        online.observe(MODEL, FAST, prompt, length)
    return online


def test_before_anything_ended_it_is_what_the_catalogue_assumes() -> None:
    said = some_past().predict(MODEL, FAST, 1000)
    assert (said.mean_tokens, said.high_tokens) == (ASSUMED, ASSUMED)
    assert some_past().survivor(MODEL, FAST, 1000, 10).mean_tokens == ASSUMED
    assert some_past().survivor(MODEL, FAST, 1000, 1000).mean_tokens == 1500


def test_prompts_of_one_length_tell_of_their_like() -> None:
    online = OnlineLengths(CATALOGUE)
    for _ in range(400):
        online.observe(MODEL, FAST, 100, 50)
        online.observe(MODEL, FAST, 5000, 500)
    assert online.predict(MODEL, FAST, 90).mean_tokens == pytest.approx(50, rel=0.15)
    assert online.predict(MODEL, FAST, 6000).mean_tokens == pytest.approx(500, rel=0.02)
    unseen = online.predict(MODEL, FAST, 700)
    assert unseen.mean_tokens == pytest.approx(275, rel=0.01)
    assert unseen.deviation_tokens == pytest.approx(225, rel=0.01)
    assert online.predict(MODEL, Tier.BATCH, 90).mean_tokens == ASSUMED


def test_a_bin_in_which_little_ended_is_drawn_to_its_tier() -> None:
    online = OnlineLengths(CATALOGUE, Learning(memory=1e9))
    for _ in range(990):
        online.observe(MODEL, FAST, 100, 100)
    for _ in range(10):
        online.observe(MODEL, FAST, 5000, 1100)
    # 10 of 1,100 and 10 as if of the tier's mean of 110.
    assert online.predict(MODEL, FAST, 5000).mean_tokens == pytest.approx(605, rel=0.001)


def test_predictions_follow_when_requests_change() -> None:
    online = some_past([100] * 2000 + [300] * 4000)
    assert online.predict(MODEL, FAST, 1000).mean_tokens == pytest.approx(300, rel=0.02)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=60), st.integers(1, 6000))
def test_survivors_are_longer_than_what_they_generated(past: list[int], generated: int) -> None:
    online = OnlineLengths(CATALOGUE, Learning(memory=1e18))
    for one in past:
        online.observe(MODEL, FAST, 1000, one)
    said = online.survivor(MODEL, FAST, 1000, generated)
    assert said.mean_tokens > generated
    longer = [one for one in past if one > 1.1 * generated]
    if longer and len(longer) == sum(one > generated / 1.1 for one in past):
        assert said.mean_tokens == pytest.approx(np.mean(longer), rel=0.001)


def test_of_a_geometric_length_as_much_is_left_as_ever() -> None:
    chance = np.random.default_rng(2)
    online = some_past([int(one) for one in chance.geometric(1 / 200, 5000)])
    for generated in (50, 200, 400):
        left = online.survivor(MODEL, FAST, 1000, generated).mean_tokens - generated
        assert left == pytest.approx(200, rel=0.15)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=80))
def test_a_histogram_knows_mean_and_quantiles(lengths: list[int]) -> None:
    histogram = LengthHistogram(1e18)
    for one in lengths:
        histogram.add(one)
    assert histogram.count == pytest.approx(len(lengths))
    assert histogram.mean == pytest.approx(np.mean(lengths))
    assert math.sqrt(histogram.variance) == pytest.approx(np.std(lengths), abs=1e-2 * max(lengths))
    median = float(np.quantile(lengths, 0.5, method="inverted_cdf"))
    assert median * 0.999 <= histogram.quantile(0.5) <= median * 1.11


def test_a_histogram_forgets_and_never_overflows() -> None:
    histogram = LengthHistogram(10)
    for _ in range(5000):
        histogram.add(7.0)
    assert histogram.count == pytest.approx(10.5, rel=0.01)
    for _ in range(200):
        histogram.add(70.0)
    assert histogram.mean == pytest.approx(70.0)


@given(st.integers(1, 4_000_000))
def test_bins_are_powers_of_two(tokens: int) -> None:
    assert input_bin(tokens) == min(BINS - 1, tokens.bit_length() - 1)


def test_tasks_have_gaussians_of_their_own() -> None:
    tasks = TaskLengths(LengthPrediction.exactly(128))
    assert tasks.predict("chat").mean_tokens == 128
    for length in (90, 100, 110):
        tasks.observe("chat", length)
    tasks.observe("code", 1000)
    chat = tasks.predict("chat")
    assert (chat.mean_tokens, chat.deviation_tokens) == (100, 10)
    assert chat.high_tokens == pytest.approx(112.8, abs=0.1)
    assert tasks.predict("code").mean_tokens == 128
    with pytest.raises(InvalidInput):
        tasks.observe("chat", 0)


def test_an_oracle_errs_by_as_much_as_is_asked_for() -> None:
    assert oracle(200).mean_tokens == 200
    assert oracle(200, error=0.5, draw=0.0).mean_tokens == 100
    assert oracle(200, error=1.0, draw=0.75).mean_tokens == 300
    assert oracle(1, error=1.0, draw=0.0).mean_tokens == 1
    for wrong in ({"error": 1.5}, {"error": -0.1}, {"draw": 1.0}):
        with pytest.raises(InvalidInput, match="oracle"):
            oracle(10, **wrong)
    with pytest.raises(InvalidInput, match="output_tokens"):
        oracle(0)


def test_what_is_not_offered_and_what_is_no_length_is_refused() -> None:
    online = some_past()
    with pytest.raises(UnknownModel):
        online.predict(ModelName("other"), FAST, 10)
    with pytest.raises(UnknownModel):
        online.observe(ModelName("other"), FAST, 10, 10)
    lacking = CATALOGUE.models[-1]
    offered = {spec.tier for spec in lacking.tiers}
    for tier in set(Tier) - offered:
        with pytest.raises(UnknownTier):
            online.survivor(lacking.name, tier, 10, 5)
    for length in (0, -1, 10**9):
        with pytest.raises(InvalidInput, match="output_tokens"):
            online.observe(MODEL, FAST, 10, length)
    with pytest.raises(InvalidInput, match="generated"):
        online.survivor(MODEL, FAST, 10, -1)
    with pytest.raises(InvalidInput, match="learning"):
        Learning(memory=0)
