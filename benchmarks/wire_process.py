"""The control plane of the wire's benchmarks, in a process of its own, as the benchmarks see it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure

_PATIENCE_SECONDS = 60


@dataclass
class Plane:
    """A control plane in a child process."""

    process: subprocess.Popen[str]
    address: str = ""

    def ask(self, order: str) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the control plane ended; standard error says why")
        found: dict[str, Any] = json.loads(answer)
        return found


def memory(where: str, asked: dict[str, Any], *, command: str, cpu_seconds: float) -> Figure:
    """The figure behind its answer to `rss`; `where` says in the middle of what."""
    return Figure(
        name=f"control plane RSS {where}",
        value=asked["rss_bytes"] / 1e6,
        unit="MB",
        target=400,
        command=command,
        cpu_seconds=cpu_seconds,
        note="without fit workers",
    )


@contextmanager
def a_plane(catalogue: Path, database: str) -> Iterator[Plane]:
    """A control plane that runs until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.wire_plane"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    plane = Plane(process)
    wishes = {
        "listen": "127.0.0.1:0",
        "metrics_listen": "",
        "page_listen": "",
        "catalogue": str(catalogue),
        "database": database,
        "scheduled": False,
        "workers": 1,
        "usage_behind": timedelta(days=4000).total_seconds(),
    }
    try:
        plane.address = plane.ask(json.dumps(wishes))["address"]
        yield plane
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Ask it to stop; one that does not is killed, so that nothing stays behind a broken benchmark."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it ended before, and said why
        process.stdin.write("stop\n")
        process.stdin.close()
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
