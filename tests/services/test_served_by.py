"""Who says what a replica serves is the operator's choice."""

from __future__ import annotations

import pytest

from scheduling.sizing.served import ServedByPlacement
from services.control_plane.bootstrap import served_by
from services.control_plane.settings import ControlPlaneSettings


@pytest.mark.parametrize(
    ("said", "kind"), [("planner", type(None)), ("placement", ServedByPlacement)]
)
def test_what_a_replica_serves_is_said_by_whom_the_settings_name(said: str, kind: type) -> None:
    assert type(served_by(ControlPlaneSettings(served_by=said))) is kind
