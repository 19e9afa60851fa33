"""Kill -9 of an agent at every step of a purchase: every command ends exactly once, no VM is bought twice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from heliostat.model.command import CommandState
from tests.builders import NOON, a_pool
from tests.support.agents import AgentDisk
from tests.support.aws import AwsRegion
from tests.support.cloud_faults import FaultyCloud


@dataclass
class Undertaker:
    """Runs lives of an agent in another process."""

    cloud: FaultyCloud
    process: subprocess.Popen[str]

    def life(self, folder: Path, step: int) -> int:
        """The exit code of one life: 0, or minus the signal that ended it."""
        minute = folder / "minute"
        request = {
            "folder": str(folder),
            "step": step,
            "start_minute": int(minute.read_text()) if minute.exists() else 0,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def undertaker() -> Iterator[Undertaker]:
    cloud = FaultyCloud()
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.crashing_agent", cloud.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
    ) as process:
        yield Undertaker(cloud, process)
    cloud.close()


@pytest.mark.slow
def test_killed_at_any_step_of_a_purchase_the_command_ends_once_and_nothing_is_bought_twice(
    undertaker: Undertaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    undertaker.cloud.reset()
    region = AwsRegion(undertaker.cloud, "east", tmp_path, NOON)
    step, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        step += 1
        folder = tmp_path / f"step-{step}"
        folder.mkdir()
        undertaker.cloud.reset()
        region.make_templates(a_pool())
        code = undertaker.life(folder, step)
        if code == -signal.SIGKILL:
            assert undertaker.life(folder, step=0) == 0
        disk = AgentDisk(folder)
        journal = disk.journal()
        words = journal.unsent_acks()
        observed = journal.unsent_observation()
        standing = region.standing()
        disk.close()
        assert [word.state for word in words] == [CommandState.APPLIED], f"killed at step {step}"
        assert len(standing) == region.faults.sold == 3, f"killed at step {step}"
        assert observed is not None
        assert observed.unknown_vms == (), f"killed at step {step}"
    region.close()
    assert code == 0
    assert step > 10, "the purchase had fewer steps than it must have"
