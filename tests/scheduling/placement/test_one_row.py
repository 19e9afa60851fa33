"""A question about one worker gives what best fit would say if that worker stood alone."""

from __future__ import annotations

import pytest

from heliostat.errors import InvalidInput, UnknownModel
from heliostat.model.names import ModelName
from scheduling.placement.best_fit import BestFit
from scheduling.placement.one_row import OneRow
from scheduling.placement.placer import Reason
from tests.scheduling.builders import a_law, a_request, some_workers


@pytest.mark.parametrize("booked", range(0, 60, 7))
def test_one_row_is_judged_as_best_fit_judges_a_fleet_of_one(booked: int) -> None:
    alone, many = some_workers(1), some_workers(3)
    for number in range(booked):
        request = a_request(f"b-{number}")
        alone.book(0, request, 0.0)
        many.book(1, request, 0.0)
    asked = a_request("asked")
    expected = BestFit().place(asked, alone, 0.0)
    found = OneRow().fits(asked, many, 1, 0.0)
    assert found.reason is expected.reason
    assert found.expected_ttft_seconds == expected.expected_ttft_seconds
    assert found.row == (None if expected.row is None else 1)


def test_a_worker_that_drains_or_is_stale_does_not_fit() -> None:
    workers = some_workers(2)
    workers.drain(workers.name_of(0))
    assert OneRow().fits(a_request("r"), workers, 0, 0.0).row is None
    workers.forget_reports_before(1e9)
    assert OneRow().fits(a_request("r"), workers, 1, 0.0).reason is Reason.STALE


def test_another_models_request_or_one_without_prediction_is_refused() -> None:
    workers = some_workers(1, a_law())
    with pytest.raises(UnknownModel):
        OneRow().fits(a_request("r", model=ModelName("other")), workers, 0, 0.0)
    with pytest.raises(InvalidInput):
        OneRow().fits(a_request("r", output=None), workers, 0, 0.0)
