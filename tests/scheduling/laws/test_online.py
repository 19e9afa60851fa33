"""Laws follow their engines: what was wrong is mended, what drifts is followed, doubt is measured."""

from __future__ import annotations

import numpy as np
import pytest

from heliostat.errors import InvalidInput
from scheduling.laws.law import WorkerLaw
from scheduling.laws.online import OnlineLaw, Refit, Seen
from tests.scheduling.builders import a_law

KNEE_LAW = a_law(prefill_floor=0.0, prefill_per_token_beyond_knee=2e-4)


def slower(law: WorkerLaw, factor: float) -> WorkerLaw:
    return a_law(
        prefill_floor=law.prefill_floor * factor,
        prefill_base=law.prefill_base * factor,
        prefill_per_token=law.prefill_per_token * factor,
        prefill_per_token_beyond_knee=law.prefill_per_token_beyond_knee * factor,
        decode_base=law.decode_base * factor,
        decode_per_sequence=law.decode_per_sequence * factor,
        decode_per_token=law.decode_per_token * factor,
    )


def watch(online: OnlineLaw, engine: WorkerLaw, count: int, *, noise: float = 0.0) -> None:
    """So many prefills and iterations of an engine that works by that law."""
    chance = np.random.default_rng(7)
    for _ in range(count):
        tokens = int(chance.integers(1, 6000))
        off = chance.normal(1, noise) if noise else 1.0
        online.saw_prefill(tokens, engine.prefill_seconds(tokens) * off)
        sequences = int(chance.integers(1, 200))
        context = sequences * int(chance.integers(50, 3000))
        online.saw_decode(sequences, context, engine.iteration_seconds(sequences, context) * off)


def worst_gap(online: OnlineLaw, engine: WorkerLaw) -> float:
    """The largest relative difference between the law and the engine over its range."""
    law = online.law
    gaps = [
        law.prefill_seconds(n) / engine.prefill_seconds(n) - 1 for n in (20, 200, 900, 3000, 6000)
    ]
    gaps += [
        law.iteration_seconds(b, b * c) / engine.iteration_seconds(b, b * c) - 1
        for b in (1, 20, 150)
        for c in (100, 2500)
    ]
    return max(abs(gap) for gap in gaps)


def test_before_anything_is_seen_the_law_is_the_prior() -> None:
    assert OnlineLaw(a_law(error=0.07)).law == a_law(error=0.07)


@pytest.mark.parametrize("engine", [a_law(), KNEE_LAW])
def test_a_right_prior_stays_and_is_sure(engine: WorkerLaw) -> None:
    online = OnlineLaw(engine)
    watch(online, engine, 300)
    assert worst_gap(online, engine) < 1e-6
    assert online.law.error < 1e-6
    assert online.observed == 200


@pytest.mark.parametrize("engine", [a_law(), KNEE_LAW])
@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_a_drift_is_followed(engine: WorkerLaw, factor: float) -> None:
    online = OnlineLaw(engine)
    watch(online, engine, 300)
    drifted = slower(engine, factor)
    assert worst_gap(online, drifted) > 0.3
    watch(online, drifted, 2500)
    assert worst_gap(online, drifted) < 0.03


def test_the_error_rises_when_the_engine_slows_down_and_falls_when_the_law_has_followed() -> None:
    online = OnlineLaw(a_law())
    watch(online, a_law(), 300)
    slow = slower(a_law(), 1.5)
    errors = []
    for _ in range(25):
        watch(online, slow, 100)
        errors.append(online.law.error)
    assert errors[0] > 0.05
    assert errors[-1] < 0.02


def test_an_engine_faster_than_its_law_widens_no_margin() -> None:
    online = OnlineLaw(a_law(), Refit(memory=1e9, doubt=1e-6))
    watch(online, slower(a_law(), 0.5), 50)
    assert online.law.error == 0.0


def test_noise_does_not_carry_the_law_away() -> None:
    online = OnlineLaw(a_law())
    watch(online, a_law(), 2000, noise=0.1)
    assert worst_gap(online, a_law()) < 0.15
    assert 0.05 < online.law.error < 0.25


def test_hours_of_the_same_iteration_do_not_make_the_law_jumpy() -> None:
    online = OnlineLaw(a_law())
    for _ in range(20_000):
        online.saw_decode(10, 10_000, a_law().iteration_seconds(10, 10_000))
    online.saw_decode(100, 200_000, 1.1 * a_law().iteration_seconds(100, 200_000))
    assert worst_gap(online, a_law()) < 0.12


def test_times_stay_positive_whatever_is_seen() -> None:
    online = OnlineLaw(a_law(prefill_floor=0.0))
    for tokens, seconds in [(1, 1e-6), (6000, 5.0)] * 300:
        online.saw_prefill(tokens, seconds)
        online.saw_decode(1, 1, 1e-6)
        online.saw_decode(200, 400_000, 5.0)
    law = online.law
    assert law.prefill_seconds(1) > 0
    assert law.iteration_seconds(1, 1) > 0


def test_iterations_that_cannot_be_are_refused() -> None:
    online = OnlineLaw(a_law())
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidInput, match="iteration"):
            online.saw_prefill(10, wrong)
    with pytest.raises(InvalidInput, match="iteration"):
        online.saw_decode(0, 10, 0.1)
    with pytest.raises(InvalidInput, match="refit"):
        Refit(memory=1)
    with pytest.raises(InvalidInput, match="refit"):
        Refit(quantile=1)


def test_sure_observations_are_believed_sooner() -> None:
    gaps = []
    for noise in (0.1, 0.3, 1.0):
        online = OnlineLaw(a_law(), Refit(noise=noise))
        for _ in range(10):
            online.saw_decode(10, 10_000, 1.5 * a_law().iteration_seconds(10, 10_000))
        found = online.law.iteration_seconds(10, 10_000)
        gaps.append(1.5 - found / a_law().iteration_seconds(10, 10_000))
    assert gaps == sorted(gaps)
    assert gaps[0] < gaps[-1] / 10


def test_one_wild_observation_counts_as_a_few_times_of_what_was_expected() -> None:
    online = OnlineLaw(a_law(), Refit(noise=0.3))
    watch(online, a_law(), 100)
    online.saw_decode(10, 10_000, 1e-9)
    online.saw_prefill(1000, 1e9)
    assert worst_gap(online, a_law()) < 0.3
    with pytest.raises(InvalidInput, match="most_factor"):
        Refit(most_factor=1.0)


def test_it_says_what_it_rests_on() -> None:
    online = OnlineLaw(a_law())
    assert online.seen == Seen()
    online.saw_prefill(100, 0.05)
    online.saw_prefill(900, 0.11)
    online.saw_decode(3, 4000, 0.02)
    assert online.seen == Seen(
        prefills=2,
        iterations=1,
        prompt_tokens=(100, 900),
        sequences=(3, 3),
        context_tokens=(4000, 4000),
    )
