"""What no store keeps is refused at the door, wherever in the message it stands."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from heliostat.errors import InvalidInput
from heliostat.v1 import common_pb2, fleet_pb2, routing_pb2
from services.translation.fields import required_text
from services.translation.texts import LONGEST_NAME, check_texts

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
