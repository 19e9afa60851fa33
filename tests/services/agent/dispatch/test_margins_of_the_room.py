"""The room places by the margins that its settings name."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from scheduling.placement.margins import HOUSE
from services.agent.settings import DispatchSettings


def test_by_default_requests_are_spread_where_promises_are_lax() -> None:
    settings = DispatchSettings()
    assert (settings.foresight, settings.spread_beyond) == (HOUSE.foresight, HOUSE.spread_beyond)
    assert (HOUSE.foresight, HOUSE.spread_beyond) == (0.1, 1.5)


def test_packing_as_published_can_be_asked_for() -> None:
    settings = DispatchSettings(foresight=1.0, spread_beyond=math.inf)
    assert settings.spread_beyond == math.inf


@pytest.mark.parametrize("wrong", [{"foresight": 1.5}, {"spread_beyond": -1}])
def test_margins_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DispatchSettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose
