"""The forecast loop sees whole buckets up to now, and reads no more than its tick needs."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from forecasting.accuracy import AccuracyScorer
from heliostat.loops.control import ControlSettings
from heliostat.loops.forecasts import ForecastLoop, ForecastSettings
from heliostat.model.instants import Span
from tests.builders import (
    MINUTE,
    NOON,
    QUARTER,
    a_batch,
    a_forecast,
    a_series,
    a_window,
)
from tests.heliostat.fakes import House, a_house

DAY = timedelta(days=1)


def test_an_empty_history_forecasts_nothing_and_raises_nothing() -> None:
    house = a_house()
    assert house.forecasts.refresh(NOON, epoch=house.epoch) == ()
    assert house.forecasts.score(NOON, epoch=house.epoch) == ()
    assert house.loop.housekeep(NOON) is None, "nobody was heard of"


def test_forecasts_see_whole_buckets_up_to_now_and_nothing_later() -> None:
    house = a_house()
    windows = [a_window(NOON - n * MINUTE, series=a_series()) for n in range(1, 60)]
    house.stores.usage.record([a_batch([*windows, a_window(NOON + MINUTE)])])
    house.forecasts.refresh(NOON + timedelta(minutes=5), epoch=house.epoch)
    assert {series.span.end for series in house.deciders.seen_series} == {NOON}


def test_scoring_holds_the_late_forecasts_of_a_few_series_at_a_time() -> None:
    house = a_house(settings=ControlSettings(forecasts=ForecastSettings(scored_at_once=1)))
    house.stores.usage.record([a_batch([a_window(NOON - MINUTE)])])
    house.forecasts.refresh(NOON, epoch=house.epoch)
    keys = [series.key for series in house.deciders.seen_series]
    late, old = NOON - QUARTER, NOON - timedelta(days=3)
    issued = [a_forecast(key.demand, key.kind, issued_at=at) for key in keys for at in (old, late)]
    house.stores.forecasts.store(issued, epoch=house.epoch)
    house.forecasts.score(NOON, epoch=house.epoch)
    assert [[series.key for series in truth] for _, truth in house.deciders.scored] == [
        [key] for key in keys
    ]
    assert [[one.key for one in excerpts] for excerpts, _ in house.deciders.scored] == [
        [key] for key in keys
    ]
    assert {one.issued_at for excerpts, _ in house.deciders.scored for one in excerpts} == {late}


# --- how far back scoring reads -----------------------------------------------------------------


def with_weeks_of_history(begins: datetime) -> House:
    """A minute a quarter hour does not make a bucket, so each bucket is reported by eight."""
    house = a_house()
    chance = np.random.default_rng(5)
    quarters = int((NOON - begins) / QUARTER)
    windows = [
        a_window(
            begins + number * QUARTER + minute * MINUTE,
            input_tokens=int(tokens),
            output_tokens=int(tokens) // 10,
        )
        for number, tokens in enumerate(chance.integers(1_000, 90_000, quarters))
        for minute in range(8)
    ]
    house.stores.usage.record([a_batch(windows)])
    house.stores.usage.roll_up(NOON)
    return house


def test_scores_are_those_that_the_whole_history_gives() -> None:
    house = with_weeks_of_history(NOON - 12 * DAY)
    scorer = AccuracyScorer()
    loop = ForecastLoop(stores=house.stores, forecaster=house.deciders, scorer=scorer)
    whole = house.stores.usage.demand(Span(NOON - 12 * DAY, NOON), QUARTER)
    issued = [
        a_forecast(series.key.demand, series.key.kind, rate, issued_at=NOON - ago, steps=96)
        for series in whole
        for ago, rate in ((2 * DAY, 90.0), (DAY, 400.0), (2 * QUARTER, 55.0))
    ]
    house.stores.forecasts.store(issued, epoch=house.epoch)
    scored = loop.score(NOON, epoch=house.epoch)
    assert scored == scorer.score([forecast.excerpt() for forecast in issued], whole)
    assert {score.method for score in scored} >= {"same-time-last-week", "last-value"}
    assert {score.horizon for score in scored} >= {QUARTER, DAY}


@pytest.mark.parametrize(("days", "read"), [(12, 9), (3, 3)])
def test_scoring_reads_as_far_back_as_the_scorer_looks(days: int, read: int) -> None:
    house = with_weeks_of_history(NOON - days * DAY)
    house.forecasts.score(NOON, epoch=house.epoch)
    ((_, truth),) = house.deciders.scored
    assert {series.span for series in truth} == {Span(NOON - read * DAY, NOON)}
