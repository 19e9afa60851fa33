"""An agent and its control plane, for every test that wants them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.agent.agent import Agent
from tests.support.control_plane import ControlPlane
from tests.support.linked_agents import a_control_plane, started


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    plane = a_control_plane()
    await plane.start()
    yield plane
    await plane.stop()


@pytest.fixture
async def agent(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Agent]:
    async with started(tmp_path, plane.address) as agent:
        yield agent
