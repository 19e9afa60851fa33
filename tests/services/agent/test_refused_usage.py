"""Refused usage: parted by model without losing a window, and said in words that can be read again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.latency import LatencySketch
from heliostat.model.names import ModelName, RegionName
from heliostat.model.usage import UsageWindow, batch_of
from services.agent.journal.parting import by_model
from services.agent.journal.trying_again import MOST_TRIES, Again, Problem
from services.translation.usage import batch_from_wire, batch_to_wire
from tests.builders import MINUTE, NOON, a_catalogue, a_series, a_window

SERIES = [
    replace(a_series(), model=ModelName(model), serving=RegionName(serving))
    for model in ("alpha", "beta")
    for serving in ("east", "west")
]


@st.composite
def windows(draw: st.DrawFn) -> list[UsageWindow]:
    """Of any of the series, measured or not."""
    found = []
    for minute in range(draw(st.integers(1, 6))):
        sketch = LatencySketch.of([draw(st.floats(0.01, 9.0))])
        found.append(
            replace(
                a_window(NOON + minute * MINUTE, series=draw(st.sampled_from(SERIES))),
                input_tokens=draw(st.none() | st.integers(0, 999)),
                ttft=draw(st.sampled_from([None, sketch])),
            )
        )
    return found


@given(windows())
def test_parts_hold_one_model_each_and_all_windows_together(whole: list[UsageWindow]) -> None:
    batch = batch_to_wire(batch_of(whole, source_id="east/g", incarnation=7, sequence=3))
    parts = by_model(batch)
    expected = {}
    for model in dict.fromkeys(window.series.model for window in whole):
        own = [window for window in whole if window.series.model == model]
        expected[model] = batch_of(own, source_id="east/g", incarnation=7, sequence=3)
    assert len(parts) == len(expected)
    for part, one in zip(parts, expected.values(), strict=True):
        part.sequence = 3
        assert batch_from_wire("part", part, a_catalogue()) == one


@given(
    st.builds(
        Problem,
        words=st.text().map("UnknownModel: {}".format),
        again=st.just(Again.NAMES),
        tries=st.integers(0, 99),
        row=st.none() | st.integers(1, 10**9),
    )
)
def test_what_is_kept_beside_a_batch_can_be_read_again(problem: Problem) -> None:
    assert Problem.parse(str(problem)) == problem


@pytest.mark.parametrize(
    ("text", "again", "row"),
    [
        ("InvalidInput: names 3: nonsense", Again.NEVER, None),
        ("clock: InvalidInput: in the future", Again.CLOCKS, None),
        ("sent again as 17: InvalidInput: in the future", Again.NEVER, 17),
    ],
)
def test_what_older_agents_wrote_is_read(text: str, again: Again, row: int | None) -> None:
    problem = Problem.parse(text)
    assert (problem.again, problem.row, str(problem)) == (again, row, text)


def test_a_clock_is_tried_once_and_a_name_at_ages_that_double() -> None:
    clock = Problem(words="ahead", again=Again.CLOCKS)
    assert clock.after(None).ripe_at == timedelta(hours=1)
    assert clock.after(replace(clock, row=1)).again is Again.NEVER
    name, ages = Problem(words="unknown", again=Again.NAMES), []
    refused = name.after(None)
    while refused.again is Again.NAMES:
        ages.append(refused.ripe_at)
        refused = name.after(replace(refused, row=1))
    assert ages == [timedelta(minutes=10) * 2**n for n in range(MOST_TRIES)]
