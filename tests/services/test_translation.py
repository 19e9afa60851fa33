"""What goes over the wire comes back as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from heliostat.model.governance import Modes
from services.translation import (
    audit,
    commands,
    fields,
    fleet,
    forecasts,
    modes,
    names,
    plans,
    questions,
    routing,
    usage,
    usage_views,
)
from tests import wire_values as values
from tests.builders import a_catalogue

CATALOGUE = a_catalogue()
Read = Callable[[Any], Any]


def at(read: Callable[[str, Any], Any]) -> Read:
    """A reader that wants to know where the message stood."""
    return lambda message: read("here", message)


JOURNEYS: list[tuple[st.SearchStrategy[Any], Callable[[Any], Message], Read]] = [
    (
        values.usage_batches(),
        usage.batch_to_wire,
        lambda m: usage.batch_from_wire("b", m, CATALOGUE),
    ),
    (
        values.usage_queries,
        usage_views.query_to_wire,
        lambda m: usage_views.query_from_wire(m, CATALOGUE),
    ),
    (values.usage_buckets, usage_views.bucket_to_wire, at(usage_views.bucket_from_wire)),
    (values.routing_tables, routing.table_to_wire, at(routing.table_from_wire)),
    (values.routing_acks, routing.gateway_to_wire, at(routing.gateway_from_wire)),
    (values.commands(), commands.command_to_wire, at(commands.command_from_wire)),
    (values.acknowledgements(), commands.word_to_wire, commands.word_from_wire),
    (values.overrides(), commands.override_to_wire, at(commands.override_from_wire)),
    (
        values.observations(),
        fleet.observation_to_wire,
        lambda m: fleet.observation_from_wire("o", m, CATALOGUE),
    ),
    (values.fleets(), lambda f: fleet.fleet_to_wire(f, {}), fleet.fleet_from_wire),
    (values.forecasts(), forecasts.forecast_to_wire, at(forecasts.forecast_from_wire)),
    (values.scores, forecasts.score_to_wire, at(forecasts.score_from_wire)),
    (values.champions, forecasts.champion_to_wire, at(forecasts.champion_from_wire)),
    (values.plans, plans.plan_to_wire, at(plans.plan_from_wire)),
    (values.explanations, questions.explanation_to_wire, questions.explanation_from_wire),
    (
        values.what_ifs,
        questions.what_if_to_wire,
        lambda m: questions.what_if_from_wire("what_if", m, CATALOGUE),
    ),
    (values.mode_settings, modes.setting_to_wire, at(modes.setting_from_wire)),
    (values.audit_entries, audit.entry_to_wire, at(audit.entry_from_wire)),
    (values.audit_queries, audit.audit_query_to_wire, audit.audit_query_from_wire),
    (values.series_keys, names.series_to_wire, at(names.series_from_wire)),
    (values.spans, fields.span_to_wire, at(fields.span_from_wire)),
    (values.lengths, fields.length_to_wire, at(fields.length_from_wire)),
]


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey[1].__name__)
@given(data=st.data())
def test_every_value_survives_the_wire(
    journey: tuple[st.SearchStrategy[Any], Callable[[Any], Message], Read], data: st.DataObject
) -> None:
    strategy, write, read = journey
    value = data.draw(strategy)
    message = write(value)
    again = type(message).FromString(message.SerializeToString())
    assert read(again) == value


@given(setting=st.lists(values.mode_settings, max_size=3))
def test_modes_travel_with_what_follows_from_them(setting: list[Any]) -> None:
    before = Modes(tuple(setting))
    response = modes.modes_to_wire(before, CATALOGUE)
    assert modes.modes_from_wire(response) == before
    assert [one.region for one in response.effective] == ["east", "west"]
