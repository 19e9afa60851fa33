"""What requests are like is told by a day, and by the last hour where that is another day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from heliostat.clock import SteppedClock
from heliostat.loops.mixes import ENOUGH_REQUESTS
from heliostat.loops.situation import ProblemReader, SituationSettings
from heliostat.model.demand import BUCKET, TokenMix
from heliostat.model.names import EVERYWHERE, Tier
from heliostat.model.usage import WINDOW
from heliostat.ports.deciding import DemandRate
from storage.memory import memory_stores
from tests.builders import NOON, a_batch, a_catalogue, a_window

HOUR = timedelta(hours=1)
READ = NOON - BUCKET
"""Mixes are read up to here."""
LATE = READ - HOUR / 2
EARLY = READ - 3 * HOUR


def the_mix(*, early: int, early_tokens: int, late: int, late_tokens: int) -> TokenMix:
    """Of interactive-normal at noon, after so many requests of so many prompt tokens, early and late."""
    stores = memory_stores(SteppedClock(NOON))
    windows = [
        a_window(
            start,
            offered=count,
            admitted=count,
            completed=count,
            input_tokens=count * tokens,
            output_tokens=count * 100,
        )
        for start, count, tokens in ((EARLY, early, early_tokens), (LATE, late, late_tokens))
        if count
    ]
    stores.usage.record([a_batch(windows)])
    reader = ProblemReader(stores, a_catalogue(), SituationSettings())
    (mix,) = (
        one
        for one in reader.mixes(NOON)
        if one.origin == EVERYWHERE and one.tier is Tier.INTERACTIVE_NORMAL and one.requests
    )
    return mix


def test_a_mix_is_the_days_while_the_last_hour_looks_like_it() -> None:
    mix = the_mix(early=3000, early_tokens=1000, late=1000, late_tokens=900)
    assert mix.requests == 4000
    assert mix.input_tokens == pytest.approx(975.0)


@pytest.mark.parametrize("tokens", [100, 5000])
def test_when_shorter_or_longer_requests_come_the_last_hour_counts_alone(tokens: int) -> None:
    mix = the_mix(early=3000, early_tokens=1000, late=1000, late_tokens=tokens)
    assert (mix.requests, mix.input_tokens) == (1000, float(tokens))


def test_an_hour_of_few_requests_says_nothing_against_the_day() -> None:
    few = ENOUGH_REQUESTS - 1
    mix = the_mix(early=3000, early_tokens=1000, late=few, late_tokens=100)
    assert mix.requests == 3000 + few


def test_an_hour_without_requests_leaves_the_days_mix() -> None:
    assert the_mix(early=3000, early_tokens=1000, late=0, late_tokens=0).requests == 3000


def the_rate(*offered: int | None) -> DemandRate:
    """What plans measure at noon after minutes with so many requests; None = nobody reported."""
    return rate_of(after(*offered).planning(NOON).measured)


def the_routed_rate(*offered: int | None) -> DemandRate:
    """What routes measure at noon after such minutes."""
    return rate_of(after(*offered).rates(NOON))


def rate_of(rates: tuple[DemandRate, ...]) -> DemandRate:
    return next(rate for rate in rates if rate.demand == a_window().series.demand)


def after(*offered: int | None) -> ProblemReader:
    stores = memory_stores(SteppedClock(NOON))
    begin = NOON - len(offered) * WINDOW
    windows = [
        a_window(begin + place * WINDOW, offered=count, admitted=count, completed=count)
        for place, count in enumerate(offered)
        if count is not None
    ]
    stores.usage.record([a_batch(windows)])
    return ProblemReader(stores, a_catalogue(), SituationSettings())


@pytest.mark.parametrize(
    ("minutes", "per_minute"),
    [
        ((60, 60, 60, 60, 60), 60),
        ((60, 60, 6000, 60, 60), 60),
        ((60, 60, 60, 6000, 6000), 60),
        ((60, 60, 600, 600, 600), 600),
        ((600, 600, 0, 0, 0), 0),
        ((60, None, 600, None, 600), 600),
    ],
)
def test_the_median_minute_is_measured_so_a_short_burst_is_not(
    minutes: tuple[int | None, ...], per_minute: int
) -> None:
    rate = the_rate(*minutes)
    assert rate.measured
    assert rate.requests_per_second * 60 == pytest.approx(per_minute)


@pytest.mark.parametrize("minutes", [(None, None, None, 60, 60), (60, None, None, None, 60)])
def test_a_rate_of_two_reported_minutes_is_not_measured(minutes: tuple[int | None, ...]) -> None:
    assert not the_rate(*minutes).measured


def test_an_origin_that_fell_silent_is_not_measured() -> None:
    assert not the_rate(60, 60, None, None, None).measured


@pytest.mark.parametrize(
    ("minutes", "per_minute"),
    [
        ((30, 60, 90), 60),
        ((60, 60, 60, None), 60),
        ((900, 30, 60, 90, None, None), 60),
        ((900, 60, None, 60), 60),
        ((None, None, 60), 60),
        ((60, 60, 0), 40),
        ((0, 0, 0), 0),
    ],
)
def test_routes_count_on_the_mean_of_the_last_minutes_that_were_reported(
    minutes: tuple[int | None, ...], per_minute: int
) -> None:
    rate = the_routed_rate(*minutes)
    assert rate.measured
    assert rate.requests_per_second * 60 == pytest.approx(per_minute)


@pytest.mark.parametrize("minutes", [(60, 60, 60, None, None, None), (0, None, None, None)])
def test_routes_know_nothing_of_an_origin_that_fell_silent(minutes: tuple[int | None, ...]) -> None:
    rate = the_routed_rate(*minutes)
    assert (rate.measured, rate.requests_per_second) == (False, 0.0)


def test_minutes_that_a_slower_gateway_has_not_reported_do_not_count_yet() -> None:
    stores = memory_stores(SteppedClock(NOON))
    for source, minutes in (("fast", (1, 2, 3, 4)), ("slow", (3, 4))):
        windows = [a_window(NOON - ago * WINDOW) for ago in minutes]
        stores.usage.record([a_batch(windows, source_id=source)])
    reader = ProblemReader(stores, a_catalogue(), SituationSettings())
    assert rate_of(reader.rates(NOON)).requests_per_second * 60 == pytest.approx(20)


def test_a_gateway_whose_clock_is_ahead_does_not_count_for_the_minute_that_runs() -> None:
    stores = memory_stores(SteppedClock(NOON))
    windows = [a_window(NOON + ahead * WINDOW, offered=60 + ahead) for ahead in (-3, -2, -1, 0, 1)]
    stores.usage.record([a_batch(windows)])
    reader = ProblemReader(stores, a_catalogue(), SituationSettings())
    rate = rate_of(reader.rates(NOON + WINDOW / 2))
    assert rate.requests_per_second * 60 == pytest.approx(58)
