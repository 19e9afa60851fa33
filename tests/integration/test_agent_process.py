"""The agent as a process: starts without a control plane, logs JSON, shows metrics, ends on SIGTERM."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from services.agent.journal.operator import brake, set_brake
from tests.builders import NOON
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_agent_runs_alone_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    code = (
        # Under nohup the agent would rightly leave SIGHUP ignored.
        f"import signal; signal.signal({int(number)}, signal.SIG_DFL)\n"
        "from services.agent.main import run\n"
        "from services.agent.settings import load_agent_settings\n"
        f"run(load_agent_settings(region='eastus', data_dir={str(tmp_path)!r}, tick=0.1,"
        f" control_planes=['127.0.0.1:1'], local_listen='127.0.0.1:0',"
        f" metrics_listen='127.0.0.1:{port}'))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "GRPC_VERBOSITY": "NONE"},
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(json.loads(line))
            if said[-1]["event"] == "link_broken":
                break
        set_brake(tmp_path / "journal.db", paused=True, author="ops", now=NOON)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            metrics = answer.read().decode()
        process.send_signal(number)
        rest = [json.loads(line) for line in process.stderr]
        assert process.wait() == 0
    assert said[0]["event"] == "agent_started"
    assert rest[-1]["event"] == "agent_stopped"
    assert 'heliostat_agent_link_up{region="eastus"} 0.0' in metrics
    assert brake(tmp_path / "journal.db").paused
