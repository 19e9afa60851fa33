"""Requests drawn from rates are the rates, one by one: counts and tokens kept, chance by seed and place."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName, Tier
from simulation.arrivals import ArrivalRates
from simulation.requests.columns import RequestColumns
from simulation.requests.from_rates import RequestsFromRates
from tests.builders import MINUTE, NOON
from tests.simulation.requests.sources import (
    LAWS,
    NAN,
    drawn,
    everything,
    key,
    minutes,
    rates,
    same,
)

HOUR = timedelta(hours=1)


@st.composite
def any_rates(draw: st.DrawFn) -> ArrivalRates:
    """Up to four demands over up to ten minutes, holes and silence among them."""
    length = draw(st.integers(1, 10))
    by_demand = {}
    for demand in draw(
        st.lists(
            st.builds(
                key,
                st.sampled_from(["east", "west"]),
                st.sampled_from(["alpha", "beta"]),
                st.sampled_from(list(Tier)),
            ),
            min_size=1,
            max_size=4,
            unique=True,
        )
    ):
        counts = draw(st.lists(st.just(NAN) | st.integers(0, 40), min_size=length, max_size=length))
        tokens = [
            [count * draw(st.integers(1, 9000)) + draw(st.integers(0, 5)) for count in counts]
            for _ in range(2)
        ]
        prompt, output = (
            [t if c else 0.0 for t, c in zip(row, counts, strict=True)] for row in tokens
        )
        by_demand[demand] = minutes(counts, prompt, output)
    return ArrivalRates(start=NOON, by_demand=by_demand)


def by_minute(requests: RequestColumns, arrivals: ArrivalRates, column: str | None) -> np.ndarray:
    """Sums per (minute, demand)."""
    sums = np.zeros((arrivals.minutes, len(arrivals.demands)))
    at = (requests.arrival_seconds // 60).astype(int)
    np.add.at(sums, (at, requests.demand), 1 if column is None else getattr(requests, column))
    return sums


@given(any_rates(), st.integers(0, 5))
def test_counts_and_tokens_of_every_minute_are_those_of_the_rates(
    arrivals: ArrivalRates, seed: int
) -> None:
    requests = everything(drawn(arrivals, seed=seed))
    for column, name in ((None, "offered"), ("input_tokens",) * 2, ("output_tokens",) * 2):
        wanted = np.stack(
            [getattr(arrivals.by_demand[demand], name) for demand in arrivals.demands], axis=1
        )
        assert np.array_equal(by_minute(requests, arrivals, column), np.nan_to_num(wanted))


@given(any_rates(), st.integers(1, 200), st.integers(1, 500), st.booleans())
def test_chunks_do_not_matter(
    arrivals: ArrivalRates, step_seconds: int, block_requests: int, token_sums: bool
) -> None:
    whole = everything(drawn(arrivals, token_sums=token_sums))
    chunked = drawn(arrivals, token_sums=token_sums, block_requests=block_requests)
    assert same(whole, everything(chunked, timedelta(seconds=step_seconds)))


@given(any_rates(), st.data())
def test_a_stretch_is_the_same_whatever_was_asked_before(
    arrivals: ArrivalRates, data: st.DataObject
) -> None:
    source = drawn(arrivals, block_requests=20)
    whole = everything(drawn(arrivals))
    length = int(source.span.length.total_seconds())
    for _ in range(3):
        first = data.draw(st.integers(0, length))
        last = data.draw(st.integers(first, length))
        found = source.between(
            NOON + first * timedelta(seconds=1), NOON + last * timedelta(seconds=1)
        )
        assert same(found, whole.between(first, last))


def test_same_seed_same_requests_and_another_seed_others() -> None:
    arrivals = rates(east_alpha=[500])
    assert same(everything(drawn(arrivals, seed=3)), everything(drawn(arrivals, seed=3)))
    first, other = everything(drawn(arrivals, seed=3)), everything(drawn(arrivals, seed=4))
    assert not np.array_equal(first.arrival_seconds, other.arrival_seconds)
    assert not np.array_equal(first.input_tokens, other.input_tokens)


def test_other_demands_leave_a_demands_requests_alone() -> None:
    alone = everything(drawn(rates(west_beta=[50, 60])))
    beside = everything(drawn(rates(east_alpha=[900, 10], west_beta=[50, 60])))
    of_west = beside.demand == 1
    assert np.array_equal(alone.arrival_seconds, beside.arrival_seconds[of_west])
    assert np.array_equal(alone.output_tokens, beside.output_tokens[of_west])


def test_a_later_begin_leaves_requests_alone() -> None:
    arrivals = rates(east_alpha=[30, 40, 50])
    whole = everything(drawn(arrivals))
    later = everything(drawn(arrivals, begins=NOON + MINUTE))
    assert np.allclose(later.arrival_seconds + 60, whole.between(60, 180).arrival_seconds)
    assert np.array_equal(later.input_tokens, whole.between(60, 180).input_tokens)


def test_places_within_a_minute_are_those_of_a_poisson_stream() -> None:
    """Gaps between uniform places are exponential: their coefficient of variation is 1."""
    requests = everything(drawn(rates(east_alpha=[2000] * 60)))
    gaps = np.diff(requests.arrival_seconds)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.02)
    assert np.mean(requests.arrival_seconds % 60) == pytest.approx(30, abs=0.2)


def test_lengths_without_sums_follow_the_law() -> None:
    requests = everything(drawn(rates(east_alpha=[2000] * 60), token_sums=False))
    for law, lengths in zip(
        LAWS[ModelName("alpha")], (requests.input_tokens, requests.output_tokens), strict=True
    ):
        for level in (0.1, 0.5, 0.9, 0.99):
            wanted = float(law.at(np.array(level)))
            assert np.quantile(lengths, level) == pytest.approx(wanted, rel=0.05)
    correlation = np.corrcoef(requests.input_tokens, requests.output_tokens)[0, 1]
    assert abs(correlation) < 0.02
    places = np.corrcoef(requests.input_tokens, requests.arrival_seconds % 60)[0, 1]
    assert abs(places) < 0.02


def test_lengths_that_add_up_keep_their_spread() -> None:
    mean = LAWS[ModelName("beta")].output.mean
    counts = [400] * 30
    arrivals = ArrivalRates(
        start=NOON,
        by_demand={key(model="beta"): minutes(counts, output=[round(400 * mean)] * 30)},
    )
    requests = everything(drawn(arrivals))
    law = LAWS[ModelName("beta")].output
    for level in (0.25, 0.5, 0.9):
        wanted = float(law.at(np.array(level)))
        assert np.quantile(requests.output_tokens, level) == pytest.approx(wanted, rel=0.1)


def test_every_request_has_a_token_where_there_are_enough() -> None:
    arrivals = ArrivalRates(start=NOON, by_demand={key(): minutes([50], [50], [51])})
    requests = everything(drawn(arrivals))
    assert set(requests.input_tokens) == {1}
    assert sorted(requests.output_tokens)[:49] == [1] * 49


def test_fewer_tokens_than_requests_leave_some_without() -> None:
    arrivals = ArrivalRates(start=NOON, by_demand={key(): minutes([50], [7], [0])})
    requests = everything(drawn(arrivals))
    assert requests.input_tokens.sum() == 7
    assert requests.output_tokens.sum() == 0


def test_requests_are_cut_to_what_their_model_can_hold() -> None:
    whole = everything(drawn(rates(east_alpha=[500]), token_sums=False))
    cut = everything(
        RequestsFromRates(
            rates(east_alpha=[500]),
            begins=NOON,
            lengths=LAWS,
            seed=1,
            token_sums=False,
            longest={ModelName("alpha"): 4000},
        )
    )
    tokens = cut.input_tokens + cut.output_tokens
    assert tokens.max() == 4000
    assert np.array_equal(cut.output_tokens, whole.output_tokens)
    short = whole.input_tokens + whole.output_tokens <= 4000
    assert np.array_equal(cut.input_tokens[short], whole.input_tokens[short])


def test_a_place_at_the_end_of_a_late_minute_stays_in_it() -> None:
    """A year of minutes leaves few bits behind the point."""
    late = 500_000
    arrivals = rates(east_alpha=[0] * late + [30_000, 0])
    source = drawn(arrivals, block_requests=40_000)
    end = NOON + MINUTE * (late + 1)
    assert len(source.between(end - MINUTE, end)) == 30_000
    assert len(source.between(end, end + MINUTE)) == 0


def test_a_hole_brings_nothing_and_is_not_known() -> None:
    source = drawn(rates(east_alpha=[5, NAN, 0], east_beta=[5, 5, 5], west_alpha=[1, 1, 1]))
    middle = NOON + MINUTE
    assert 0 not in source.between(middle, middle + MINUTE).demand
    assert [source.known(key().origin, NOON + MINUTE * i) for i in range(3)] == [True, False, True]
    assert source.known(key("west").origin, middle)


def test_what_lies_before_the_begin_is_history() -> None:
    arrivals = rates(east_alpha=[1, NAN, 3, 4])
    source = drawn(arrivals, begins=NOON + 2 * MINUTE)
    past = source.history()
    assert past.span.end == source.start == NOON + 2 * MINUTE
    assert np.array_equal(past.by_demand[key()].offered, [1, NAN], equal_nan=True)


def test_a_model_without_a_law_is_named() -> None:
    with pytest.raises(InvalidInput, match="no law for gamma"):
        drawn(rates(east_gamma=[1]))


def test_a_begin_outside_of_the_rates_is_refused() -> None:
    for begins in (NOON - MINUTE, NOON + HOUR):
        with pytest.raises(InvalidInput, match="span"):
            RequestsFromRates(rates(east_alpha=[1]), begins=begins, lengths=LAWS, seed=1)
