"""What no store keeps is refused at the door, wherever in the message it stands."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from heliostat.errors import InvalidInput
from heliostat.v1 import common_pb2, fleet_pb2, routing_pb2
from services.translation.fields import required_text
from services.translation.texts import LONGEST_NAME, LONGEST_TEXT, check_texts, cut

BAD = "a\0b"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (fleet_pb2.CancelCommandRequest(command_id=BAD), "command_id"),
        (fleet_pb2.GetFleetRequest(regions=["east", BAD]), "regions"),
        (fleet_pb2.ScalePoolRequest(pool=common_pb2.PoolKey(model=BAD)), "pool.model"),
        (
            routing_pb2.WatchRoutesRequest(
                acknowledgement=routing_pb2.RouteAcknowledgement(detail=BAD)
            ),
            "acknowledgement.detail",
        ),
    ],
)
def test_a_nul_character_is_named_with_its_place(message: Message, field: str) -> None:
    with pytest.raises(InvalidInput, match="NUL") as caught:
        check_texts(message)
    assert caught.value.field == field


def test_any_other_text_passes() -> None:
    check_texts(fleet_pb2.CancelCommandRequest(command_id="é\u202e🙂\n", etag="7"))


@pytest.mark.parametrize("text", ["", BAD, "x" * (LONGEST_NAME + 1)])
def test_a_name_is_short_and_can_be_stored(text: str) -> None:
    with pytest.raises(InvalidInput):
        required_text("name", text)


def test_the_longest_name_is_a_name() -> None:
    assert required_text("name", "x" * LONGEST_NAME)


def test_no_text_is_endless() -> None:
    check_texts(fleet_pb2.CancelCommandRequest(etag="x" * LONGEST_TEXT))
    with pytest.raises(InvalidInput, match="etag: has 10001 characters"):
        check_texts(fleet_pb2.CancelCommandRequest(etag="x" * (LONGEST_TEXT + 1)))


@pytest.mark.parametrize(
    ("text", "shown"), [("short", "short"), ("a" * 9, "aaaaa…"), ("é" * 9, "éé…")]
)
def test_what_is_cut_says_so_and_breaks_no_character(text: str, shown: str) -> None:
    assert cut(text, 8) == shown
