"""Who is turned away comes back as told, and not at all by default."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from heliostat.errors import InvalidInput
from simulation.clients import Clients, RetryRule


def test_nobody_comes_back_unless_told() -> None:
    assert not Clients().retries.somebody_returns
    assert not RetryRule(most=3, probability=0).somebody_returns
    assert RetryRule(most=1).somebody_returns


@pytest.mark.parametrize(
    "wrong",
    [
        {"probability": 1.1},
        {"probability": -0.1},
        {"most": -1},
        {"back_off": timedelta(seconds=-1)},
        {"growth": 0.9},
    ],
)
def test_a_senseless_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="retries"):
        RetryRule(**wrong)
