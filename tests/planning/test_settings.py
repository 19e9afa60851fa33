"""Planner settings that make no plan possible are refused by name."""

from __future__ import annotations

from datetime import timedelta
from math import inf, nan
from typing import Any

import pytest

from heliostat.errors import InvalidInput
from heliostat.model.names import Tier
from planning.settings import PlannerSettings


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"near_steps": 0}, "steps"),
        ({"near_step": timedelta(0)}, "steps"),
        ({"far_steps": -1}, "steps"),
        ({"far_step": timedelta(0)}, "far_step"),
        ({"level": 1.0}, "level"),
        ({"patient_level": nan}, "patient_level"),
        ({"survive": 1.1}, "survive"),
        ({"peak_share": -0.1}, "peak_share"),
        ({"patient_peak_share": inf}, "patient_peak_share"),
        ({"most_busy": nan}, "most_busy"),
        ({"batch_within": timedelta(hours=-1)}, "batch_within"),
        ({"latency_weight": -1.0}, "latency_weight"),
        ({"start_hours": inf}, "start_hours"),
        ({"change_hours": nan}, "change_hours"),
    ],
)
def test_a_setting_out_of_range_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        PlannerSettings(**changes)
    assert refusal.value.field == f"planner.{field}"


def test_without_far_steps_their_length_does_not_matter() -> None:
    assert PlannerSettings(far_steps=0, far_step=timedelta(0)).far_steps == 0


def test_batch_work_is_planned_for_the_median_of_its_mean_whatever_is_set() -> None:
    aims = PlannerSettings(level=0.99, patient_level=0.7, peak_share=0.4).aims
    assert (aims[Tier.INTERACTIVE_FAST].level, aims[Tier.INTERACTIVE_FAST].peak_share) == (
        0.99,
        0.4,
    )
    assert aims[Tier.INTERACTIVE_NORMAL].level == 0.7
    assert (aims[Tier.BATCH].level, aims[Tier.BATCH].peak_share) == (0.5, 0.0)
