"""Callers who come back do so later and later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from heliostat.errors import InvalidInput
from simulation.requests.retries import RetryRule


def test_nobody_comes_back_unless_told() -> None:
    assert RetryRule().probability == 0


def test_each_return_takes_longer() -> None:
    rule = RetryRule(probability=1, most=3, back_off=timedelta(seconds=10), growth=3)
    assert [rule.wait(i).total_seconds() for i in range(3)] == [10, 30, 90]


@pytest.mark.parametrize(
    "wrong",
    [
        {"probability": 1.1},
        {"probability": -0.1},
        {"most": -1},
        {"back_off": timedelta(0)},
        {"growth": 0.9},
    ],
)
def test_a_senseless_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="retries"):
        RetryRule(**wrong)
