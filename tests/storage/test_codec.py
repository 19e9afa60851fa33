"""The codec: every value that we store reads back equal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.errors import DataLoss
from heliostat.model.command import Acknowledgement, Command, RedeployOrder, ScaleOrder
from heliostat.model.fleet import (
    CapacityDenial,
    LeadTimeSample,
    PoolObservation,
    RegionObservation,
    ReplicaEndpoint,
)
from heliostat.model.forecast import Champion, Forecast, ForecastScore
from heliostat.model.governance import AuditRecord, ModeSetting, Override
from heliostat.model.latency import LatencySketch
from heliostat.model.plan import CapacityPlan, WhatIf
from heliostat.model.routing import RoutingAck, RoutingTable
from heliostat.model.usage import UsageBatch, batch_of
from storage.codec import dumps, field_of, loads
from tests.contracts.builders import at, command, plan, table, window

_names = st.text("abcdefgh-é", min_size=1, max_size=6)
_counts = st.integers(0, 10**9)
_numbers = st.floats(allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class Odd:
    """Shapes that our nouns have in few places."""

    pairs: tuple[tuple[str, float], ...]
    table: dict[int, tuple[int, str]]
    some: frozenset[str]
    raw: bytes | None
    either: ScaleOrder | RedeployOrder | None
    age: timedelta


@given(
    st.builds(
        Odd,
        pairs=st.lists(st.tuples(_names, _numbers)).map(tuple),
        table=st.dictionaries(_counts, st.tuples(_counts, _names)),
        some=st.frozensets(_names),
        raw=st.none() | st.binary(),
        either=st.none() | st.just(command().order),
        age=st.timedeltas(timedelta(0), timedelta(days=400)),
    )
)
def test_any_shape_reads_back_equal(odd: Odd) -> None:
    assert loads(Odd, dumps(odd)) == odd


@given(
    st.none() | _counts,
    st.none() | st.lists(st.floats(0, 1e6)).map(LatencySketch.of),
    st.lists(st.integers(10, 10**9), max_size=3),
)
def test_usage_batches_read_back_equal(
    tokens: int | None, sketch: LatencySketch | None, offered: list[int]
) -> None:
    rows = [
        window(minute, offered=requests, input_tokens=tokens, ttft=sketch)
        for minute, requests in enumerate(offered)
    ]
    batch = batch_of(rows, source_id="é", incarnation=1, sequence=7)
    assert loads(UsageBatch, dumps(batch)) == batch


_STORED = [
    Acknowledgement,
    AuditRecord,
    CapacityDenial,
    CapacityPlan,
    Champion,
    Command,
    ForecastScore,
    LeadTimeSample,
    ModeSetting,
    Override,
    PoolObservation,
    RegionObservation,
    ReplicaEndpoint,
    RoutingAck,
    RoutingTable,
    Forecast,
    WhatIf,
]


@pytest.mark.parametrize("kind", _STORED, ids=lambda kind: kind.__name__)
def test_every_stored_noun_can_be_written(kind: type) -> None:
    """A type that the codec does not know would be a TypeError here, before any value is looked at."""
    with pytest.raises(DataLoss):
        loads(kind, "{}" if kind is not WhatIf else '{"demand_factor": -1}')


def test_a_union_says_which_class_it_is() -> None:
    assert '"order":{"type":"ScaleOrder"' in dumps(command())
    assert loads(Command, dumps(command())) == command()


def test_numbers_of_numpy_are_written_as_ours() -> None:
    odd = plan(policy="milp", targets=(), solve=None)
    scaled = WhatIf(demand_factor=np.float64(2.5), quotas=(("eu", "h100", np.int64(3)),))  # type: ignore[arg-type]  # numpy's numbers on purpose
    assert loads(WhatIf, dumps(scaled)) == scaled
    assert loads(CapacityPlan, dumps(odd)) == odd


def test_a_field_of_a_later_release_is_skipped_and_a_missing_one_gets_its_default() -> None:
    text = dumps(command()).replace('"revision":1', '"of_tomorrow":1')
    assert loads(Command, text) == command()


def test_a_plan_of_an_earlier_release_remembers_nothing_of_its_overrides() -> None:
    text = dumps(plan())
    earlier = text.replace(',"without_override":null', "").replace(',"author":""', "")
    assert earlier != text
    assert loads(CapacityPlan, earlier) == plan()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"command_id": 3}'])
def test_anything_else_is_data_loss(text: str) -> None:
    with pytest.raises(DataLoss, match="Command"):
        loads(Command, text)


def test_one_field_is_read_without_the_others() -> None:
    text = dumps(table(minute=7))
    assert field_of(RoutingTable, "valid_from", text) == at(7)
    for wrong in ("no JSON", "[]", "{}", '{"valid_from": 7}'):
        with pytest.raises(DataLoss, match="a stored RoutingTable has no valid_from"):
            field_of(RoutingTable, "valid_from", wrong)
