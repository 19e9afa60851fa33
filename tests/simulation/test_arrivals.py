"""Arrivals as columns of minutes: their checks, their parts, their holes."""

from datetime import timedelta

import numpy as np
import pytest

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from simulation.arrivals import ArrivalRates, MinuteArrivals
from tests.builders import MINUTE, NOON, a_demand
from tests.simulation.fakes import no_arrivals


def columns(*offered: float) -> MinuteArrivals:
    counts = np.array(offered, dtype=float)
    return MinuteArrivals(offered=counts, input_tokens=counts * 10, output_tokens=counts * 2)


def rates(*offered: float) -> ArrivalRates:
    return ArrivalRates(start=NOON, by_demand={a_demand(): columns(*offered)})


def test_a_hole_is_a_hole_in_all_columns() -> None:
    columns(1, np.nan, 3)
    with pytest.raises(InvalidInput, match="gaps in other places"):
        MinuteArrivals(
            offered=np.array([1.0, np.nan]),
            input_tokens=np.array([1.0, 1.0]),
            output_tokens=np.array([1.0, np.nan]),
        )


@pytest.mark.parametrize("bad", [-1.0, 0.5, np.inf])
def test_requests_are_whole_finite_and_not_negative(bad: float) -> None:
    with pytest.raises(InvalidInput, match="offered"):
        columns(1, bad)


def test_columns_of_one_demand_have_one_length() -> None:
    with pytest.raises(InvalidInput, match="one length"):
        MinuteArrivals(offered=np.zeros(2), input_tokens=np.zeros(3), output_tokens=np.zeros(2))


def test_demands_have_one_length() -> None:
    west = a_demand(origin="west")
    with pytest.raises(InvalidInput, match="differ in length"):
        ArrivalRates(start=NOON, by_demand={a_demand(): columns(1), west: no_arrivals(2)})


def test_a_start_inside_a_minute_is_refused() -> None:
    with pytest.raises(InvalidInput, match="whole minute"):
        ArrivalRates(start=NOON + timedelta(seconds=1), by_demand={})


def test_a_part_knows_its_place_in_time() -> None:
    whole = rates(0, 1, 2, 3)
    part = whole.within(Span(NOON + MINUTE, NOON + 3 * MINUTE))
    assert part.by_demand[a_demand()].offered.tolist() == [1, 2]
    assert part.span == Span(NOON + MINUTE, NOON + 3 * MINUTE)
    with pytest.raises(InvalidInput, match="whole minutes of"):
        whole.within(Span(NOON, NOON + 5 * MINUTE))


def test_shifting_moves_the_grid_and_keeps_the_demand() -> None:
    moved = rates(1, 2).shifted(timedelta(hours=3))
    assert moved.start == NOON + timedelta(hours=3)
    assert moved.minute_of(moved.start + MINUTE) == 1


def test_demands_can_be_picked() -> None:
    assert rates(1).only([a_demand(model="beta")]).demands == ()
    assert rates(1).only([a_demand()]).demands == (a_demand(),)
