"""Synthesised demand has the published shapes, on every region's own clock, and repeats by its seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from heliostat.catalogue import ModelSpec
from heliostat.errors import InvalidInput
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from simulation.arrivals import ArrivalRates
from simulation.workload import published
from simulation.workload.published import MODEL_SHAPES, model_shape, region_shares
from simulation.workload.quantiles import LengthLaws, draw_sums, law_of_lengths
from simulation.workload.sizing import model_replica_seconds
from simulation.workload.synthesis import burst_law, lengths_of, synthesis_sentences, synthesise
from tests.builders import a_catalogue, catalogue_mapping

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def a_week(seed: int = 7, busy: float = 50, days: int = 7) -> ArrivalRates:
    return synthesise(a_catalogue(), start=MONDAY, days=days, busy_replicas=busy, seed=seed)


def key(origin: str, tier: Tier = Tier.INTERACTIVE_FAST, model: str = "alpha") -> DemandKey:
    return DemandKey(origin=RegionName(origin), model=ModelName(model), tier=tier)


def hourly(rates: ArrivalRates, demand: DemandKey) -> NDArray[np.float64]:
    sums: NDArray[np.float64] = rates.by_demand[demand].offered.reshape(-1, 60).sum(axis=1)
    return sums


def test_same_seed_gives_the_same_minutes_and_another_seed_others() -> None:
    first, second, other = a_week(1, days=1), a_week(1, days=1), a_week(2, days=1)
    for demand, arrivals in first.by_demand.items():
        assert np.array_equal(arrivals.offered, second.by_demand[demand].offered)
        assert np.array_equal(arrivals.input_tokens, second.by_demand[demand].input_tokens)
    assert any(
        not np.array_equal(arrivals.offered, other.by_demand[demand].offered)
        for demand, arrivals in first.by_demand.items()
    )


def test_every_region_model_and_tier_gets_minutes() -> None:
    rates = a_week(days=2)
    assert len(rates.demands) == 2 * 2 * 3
    assert rates.minutes == 2 * 1440
    assert rates.start == MONDAY


def test_the_day_stands_on_the_regions_own_clock() -> None:
    """East and west are three hours apart, and so are their days."""
    rates = a_week(days=5)
    east = hourly(rates, key("east")).reshape(-1, 24).mean(axis=0)
    west = hourly(rates, key("west")).reshape(-1, 24).mean(axis=0)
    fits = [np.corrcoef(np.roll(east, lag), west)[0, 1] for lag in range(-6, 7)]
    assert int(np.argmax(fits)) - 6 == 3


def test_weekends_are_quieter_as_published() -> None:
    rates = synthesise(a_catalogue(), start=MONDAY, days=28, busy_replicas=200, seed=3)
    days = hourly(rates, key("east")).reshape(-1, 24).sum(axis=1).reshape(4, 7)
    assert days[:, 5:].mean() / days[:, :5].mean() == pytest.approx(published.WEEKEND_A, rel=0.2)


def test_level_keeps_the_wanted_number_of_replicas_busy_at_the_mean_peak() -> None:
    catalogue = a_catalogue()
    rates = synthesise(catalogue, start=MONDAY, days=28, busy_replicas=40, seed=5)
    prompt, output = lengths_of(model_shape(0))
    busy = np.zeros(28 * 24)
    for demand in rates.demands:
        if demand.model == "alpha":
            lengths = (prompt.mean, output.mean)
            seconds = model_replica_seconds(catalogue.model("alpha"), demand.tier, lengths)
            busy += hourly(rates, demand) / 3600 * seconds
    by_hour_of_week = busy.reshape(4, 168).mean(axis=0)
    assert by_hour_of_week.max() == pytest.approx(40, rel=0.25)


def test_tokens_follow_the_published_lengths() -> None:
    rates = a_week(busy=200)
    for index, model in enumerate(("alpha", "beta")):
        prompt, output = lengths_of(MODEL_SHAPES[index])
        arrivals = rates.by_demand[key("east", model=model)]
        offered = arrivals.offered.sum()
        assert arrivals.input_tokens.sum() / offered == pytest.approx(prompt.mean, rel=0.05)
        assert arrivals.output_tokens.sum() / offered == pytest.approx(output.mean, rel=0.05)


def test_level_and_tokens_follow_a_models_own_lengths() -> None:
    """Requests a tenth as long are ten times as many at the same number of busy replicas."""
    prompt, output = lengths_of(model_shape(0))
    short = LengthLaws(
        prompt=law_of_lengths((0.5, 0.99), (200, 800)),
        output=law_of_lengths((0.5, 0.99), (20, 80)),
    )

    def seconds(model: ModelSpec, tier: Tier, lengths: tuple[float, float]) -> float:
        return lengths[0] / 1000

    def rates(lengths: dict[ModelName, LengthLaws]) -> ArrivalRates:
        return synthesise(
            a_catalogue(),
            start=MONDAY,
            days=7,
            busy_replicas=20,
            seed=5,
            seconds_of=seconds,
            lengths=lengths,
        )

    own, published_ones = rates({ModelName("alpha"): short}), rates({})
    alpha, beta = key("east", model="alpha"), key("east", model="beta")
    more = own.by_demand[alpha].offered.sum() / published_ones.by_demand[alpha].offered.sum()
    assert more == pytest.approx(prompt.mean / short.prompt.mean, rel=0.1)
    mean = own.by_demand[alpha].output_tokens.sum() / own.by_demand[alpha].offered.sum()
    assert mean == pytest.approx(short.output.mean, rel=0.05)
    assert mean < output.mean
    assert (own.by_demand[beta].offered == published_ones.by_demand[beta].offered).all()


def test_a_models_level_does_not_depend_on_how_many_days_are_made() -> None:
    one, many = a_week(days=1), a_week(days=14)
    demand = key("east", Tier.BATCH)
    ratio = one.by_demand[demand].offered.mean() / many.by_demand[demand].offered[:1440].mean()
    assert ratio == pytest.approx(1, rel=0.3)


def test_bursts_reach_what_is_published_and_no_further() -> None:
    for shape in MODEL_SHAPES:
        for tier, published_values in (
            (Tier.INTERACTIVE_FAST, shape.burst),
            (Tier.BATCH, shape.batch_burst),
        ):
            drawn = burst_law(shape, tier).draw(np.random.default_rng(1), 200_000)
            assert drawn.max() <= published_values[-1] * 1.0001
            for level, value in zip((0.5, 0.95, 0.99), published_values, strict=False):
                assert np.quantile(drawn, level) == pytest.approx(value, rel=0.1)


@given(st.lists(st.floats(0, 1e6), max_size=20), st.integers(0, 2**32))
def test_a_sum_of_lengths_is_whole_and_never_below_its_count(
    counts: list[float], seed: int
) -> None:
    whole = np.rint(np.array(counts, dtype=float))
    sums = draw_sums(whole, 250.0, 2.0, np.random.default_rng(seed))
    assert np.array_equal(sums, np.rint(sums))
    assert np.all(sums >= whole)
    assert np.all(sums[whole == 0] == 0)


def test_a_hole_among_counts_stays_a_hole() -> None:
    sums = draw_sums(np.array([1.0, np.nan]), 50.0, 1.0, np.random.default_rng(0))
    assert np.isnan(sums[1])
    assert not np.isnan(sums[0])


@given(st.integers(1, 12))
def test_region_shares_add_up_to_one(regions: int) -> None:
    assert sum(region_shares(regions)) == pytest.approx(1)


@pytest.mark.parametrize(("days", "busy"), [(0, 10.0), (401, 10.0), (1, 0.0), (1, float("nan"))])
def test_absurd_sizes_are_refused(days: int, busy: float) -> None:
    with pytest.raises(InvalidInput):
        synthesise(a_catalogue(), start=MONDAY, days=days, busy_replicas=busy, seed=1)


def test_a_model_without_a_tier_gets_no_demand_in_it() -> None:
    mapping = catalogue_mapping()
    models = [dict(model) for model in mapping["models"]]
    models[0]["tiers"] = {"batch": models[0]["tiers"]["batch"]}
    rates = synthesise(
        a_catalogue({**mapping, "models": models}),
        start=MONDAY + timedelta(hours=5),
        days=1,
        busy_replicas=10,
        seed=1,
    )
    assert {demand.tier for demand in rates.demands if demand.model == "alpha"} == {Tier.BATCH}
    assert {demand.tier for demand in rates.demands if demand.model == "beta"} == set(Tier)


def test_the_reader_is_told_the_source_and_the_split() -> None:
    told = " ".join(synthesis_sentences(a_catalogue(), 20))
    assert "SageServe" in told
    assert "east 60%" in told
    assert "four times as many requests in one region as in another is left out" in told
