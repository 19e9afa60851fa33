"""What every source of requests keeps, wherever its requests come from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from heliostat.errors import InvalidInput
from simulation.requests.later import BegunLater
from simulation.requests.source import RequestSource
from tests.builders import MINUTE, NOON
from tests.simulation.requests.sources import NAN, drawn, everything, rates, same, traced, written

Making = Callable[[Path], RequestSource]


def from_rates(_: Path) -> RequestSource:
    return drawn(
        rates(east_alpha=[5, 30, 7, NAN, 20, 0, 3], west_beta=[1, 2, 3, 4, 5, 6, 0]),
        begins=NOON + 2 * MINUTE,
        block_requests=25,
    )


def from_trace(folder: Path) -> RequestSource:
    return traced(written(folder, from_rates(folder)))


def begun_later(folder: Path) -> RequestSource:
    whole = traced(written(folder, from_rates(folder)))
    return BegunLater(whole, begins=whole.start + MINUTE)


SOURCES: dict[str, Making] = {
    "from-rates": from_rates,
    "from-trace": from_trace,
    "begun-later": begun_later,
}


@pytest.fixture(params=SOURCES, name="source")
def any_source(request: pytest.FixtureRequest, tmp_path: Path) -> RequestSource:
    return SOURCES[request.param](tmp_path)


def test_requests_are_sorted_and_lie_in_the_span(source: RequestSource) -> None:
    requests = everything(source)
    assert len(requests) > 10
    assert np.all(np.diff(requests.arrival_seconds) >= 0)
    assert requests.arrival_seconds[0] >= 0
    assert requests.arrival_seconds[-1] < source.span.length.total_seconds()
    assert set(requests.demand) <= set(range(len(source.demands)))


def test_the_span_begins_at_the_start_on_a_whole_minute(source: RequestSource) -> None:
    assert source.span.start == source.start
    assert source.start.second == 0
    assert list(source.demands) == sorted(source.demands)


@pytest.mark.parametrize("seconds", [1, 13, 60, 90])
def test_a_request_belongs_to_exactly_one_of_two_adjoining_stretches(
    source: RequestSource, seconds: int
) -> None:
    assert same(everything(source), everything(source, timedelta(seconds=seconds)))


def test_asking_again_or_backwards_gives_the_same(source: RequestSource) -> None:
    whole = everything(source)
    starts = list(source.span.steps(MINUTE))
    for at in [*reversed(starts), *starts[:2]]:
        since = (at - source.start).total_seconds()
        found = source.between(at, at + MINUTE)
        assert same(found, whole.between(since, since + 60))
        assert same(found, source.between(at, at + MINUTE))
    assert len(source.between(source.start, source.start)) == 0


def test_a_stretch_outside_of_the_span_is_refused(source: RequestSource) -> None:
    span = source.span
    for begin, end in ((span.start - MINUTE, span.end), (span.start, span.end + MINUTE)):
        with pytest.raises(InvalidInput):
            source.between(begin, end)


def test_history_ends_where_the_source_starts(source: RequestSource) -> None:
    past = source.history()
    assert past.minutes == 0 or past.span.end == source.start
    assert past.minutes == 0 or past.demands == source.demands


def test_nothing_arrives_where_nothing_is_known(source: RequestSource) -> None:
    for at in source.span.steps(MINUTE):
        for place in set(source.between(at, at + MINUTE).demand):
            assert source.known(source.demands[place].origin, at)
