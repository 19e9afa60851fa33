"""An experiment that is killed without warning: its workers go too, and it goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from heliostat.clock import monotonic_seconds, sleep_seconds
from simulation.reports.document import TIMING
from tests.simulation.experiments.little import a_history

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 120.0


def command(scenario: Path, *more: object) -> list[str]:
    words = (
        "--scenario",
        scenario,
        "--policy",
        "reactive,keda",
        "--headroom",
        "0.4",
        "--no-bounds",
        "--engine",
        "fluid",
    )
    more = ("simulate", *words, "--seeds", 3, "--workers", 2, *more)
    return [sys.executable, "-m", "heliostat", *map(str, more)]


def untimed(path: Path) -> dict[str, Any]:
    told = json.loads(path.read_text())
    return {name: value for name, value in told.items() if name not in TIMING}


def until(happened: Any, what: str) -> None:
    began = monotonic_seconds()
    while not happened():
        assert monotonic_seconds() - began < LONGEST_SECONDS, what
        sleep_seconds(0.02)


def test_a_killed_experiment_goes_on_where_it_was(tmp_path: Path) -> None:
    a_history(tmp_path, minutes=120)
    scenario, kept = tmp_path / "little.npz", tmp_path / "kept"
    first = subprocess.Popen(
        command(scenario, "--resume", kept), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    until(lambda: len(list(kept.glob("runs/*.json"))) >= 2, "no run was kept")
    workers = psutil.Process(first.pid).children()
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert workers
    until(lambda: not any(w.is_running() for w in workers), "a worker outlived its starter")
    before = len(list(kept.glob("runs/*.json")))
    assert 2 <= before < 6

    found, whole = tmp_path / "resumed.json", tmp_path / "whole.json"
    again = command(scenario, "--resume", kept, "--json", found)
    resumed = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, check=True)
    assert resumed.stderr.count("(found)") == before
    assert resumed.stderr.count("CPU s)") == 6 - before
    at_once = command(scenario, "--executor", "serial", "--json", whole)
    subprocess.run(at_once, cwd=ROOT, capture_output=True, check=True)
    assert untimed(found) == untimed(whole)


def test_interrupting_workers_that_still_import_shows_no_traceback(tmp_path: Path) -> None:
    a_history(tmp_path, minutes=120)
    running = subprocess.Popen(
        command(tmp_path / "little.npz"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: workers_of(running.pid), "no worker was started")
    (worker,) = workers_of(running.pid)
    until(lambda: worker.cpu_times().user > 0.1, "the worker imports nothing")
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=LONGEST_SECONDS)
    assert running.returncode == 130
    assert said.count("interrupted") == 1
    assert "Traceback" not in said


def workers_of(pid: int) -> list[psutil.Process]:
    return [one for one in psutil.Process(pid).children() if "spawn_main" in str(one.cmdline())]


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_experiment_says_where_it_left_what_was_finished(
    tmp_path: Path, word: signal.Signals
) -> None:
    a_history(tmp_path, minutes=120)
    kept = tmp_path / "kept"
    running = subprocess.Popen(
        command(tmp_path / "little.npz", "--resume", kept),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: len(list(kept.glob("runs/*.json"))) >= 1, "no run was kept")
    running.send_signal(word)
    _, said = running.communicate(timeout=LONGEST_SECONDS)
    assert running.returncode == 130
    assert f"Finished runs are kept in {kept}." in said
    assert "interrupted" in said
