"""A short demo, whole: what it writes adds up, and what is stopped leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from heliostat.model.instants import Span
from services.demo.settings import DemoSettings
from storage.opening import open_stores

HOURS = 2
STEPS = HOURS * 4 + 1


SHORT = f"""
from pathlib import Path
from services.demo.main import run
from services.demo.settings import DemoSettings
where = Path("{{where}}")
run(DemoSettings(headless=True, hours={HOURS}, history_days=2, json=where / "f.json", keep=where / "kept"))
"""


WATCHED = """
import sys
from services.demo.main import run
from services.demo.settings import DemoSettings
sys.exit(run(DemoSettings(port=0, history_days=1)))
"""
"""A demo with a page that soon has plans: most of the wait for them is history."""


def _started(words: list[str], where: Path) -> subprocess.Popen[str]:
    """A Python of its own, in a process group of its own, with its own temp directory."""
    return subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(where), "COLUMNS": "80"},
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], str, Path]:
    """The figures, the words and the databases of a demo that ran to its end."""
    where = tmp_path_factory.mktemp("demo")
    process = _started(["-c", SHORT.format(where=where)], where)
    words, _ = process.communicate(timeout=300)
    assert process.returncode == 0, words
    return json.loads((where / "f.json").read_text()), words, where


def test_everything_that_happened_is_counted(finished: tuple[dict[str, Any], str, Path]) -> None:
    figures, _, _ = finished
    assert figures["steps"] == STEPS
    assert figures["plans"] == HOURS * 4 + 1
    series = (3 * 4 * 3 + 4 * 3) * 2  # origins × models × tiers and the aggregates, two token kinds
    assert figures["forecasts"] == series * (HOURS * 4 + 1)
    assert figures["usage_windows"] > 2 * 1440 * 3
    assert figures["seed"] == 1
    assert figures["input"]


def test_every_table_is_answered_once(finished: tuple[dict[str, Any], str, Path]) -> None:
    routing = finished[0]["routing"]
    assert routing["versions"] >= 3
    assert routing["acks"] + routing["nacks"] == routing["versions"]
    assert routing["nacks"] == 0


def test_every_order_has_one_state_and_some_were_applied(
    finished: tuple[dict[str, Any], str, Path],
) -> None:
    commands = finished[0]["commands"]
    assert set(commands) == {"pending", "leased", "applied", "refused", "expired", "cancelled"}
    assert commands["applied"] > 0
    assert commands["pending"] == 0


def test_sampled_requests_are_dispatched_one_by_one_and_end(
    finished: tuple[dict[str, Any], str, Path],
) -> None:
    day = finished[0]["dispatch"]
    sampled = 3 * HOURS * 30  # regions, and one request in two minutes of each
    decided = day["dispatched"] + day["shed"] + day["other_region"]
    assert sampled / 2 < decided
    assert 0 < day["completed"] <= day["dispatched"] <= sampled
    assert 0 < day["judged"] <= day["completed"]
    for name in ("expected_ttft_seconds", "simulated_ttft_seconds"):
        assert 0 < day[name] < 60


def test_the_sampled_batch_requests_do_not_pass_for_all_that_wait(
    finished: tuple[dict[str, Any], str, Path],
) -> None:
    """Plans would hold capacity for the sample alone."""
    opened = open_stores(f"sqlite:///{finished[2] / 'kept' / 'heliostat.db'}")
    try:
        fleet = opened.stores.fleet.fleet(DemoSettings().day_start)
    finally:
        opened.close()
    assert len(fleet.reports) == 3
    assert fleet.batch_backlog == ()


def test_both_policies_are_billed_and_judged(finished: tuple[dict[str, Any], str, Path]) -> None:
    figures, _, _ = finished
    for policy in ("heliostat", "reactive"):
        assert figures["gpu_hours_billed"][policy] > 0
        assert 0 < figures["slo_attainment"][policy] <= 1


def test_the_words_fit_eighty_columns_and_name_both_policies(
    finished: tuple[dict[str, Any], str, Path],
) -> None:
    _, words, _ = finished
    assert max(len(line) for line in words.splitlines()) <= 80
    assert "Heliostat beside the tuned reactive policy" in words
    assert "Mode: active, set by admin:local through the API." in words


def test_kept_databases_stay_and_hold_the_audit(
    finished: tuple[dict[str, Any], str, Path],
) -> None:
    _, _, where = finished
    assert (where / "kept" / "eastus" / "journal.db").exists()
    opened = open_stores(f"sqlite:///{where / 'kept' / 'heliostat.db'}")
    try:
        day = DemoSettings().day_start
        records = opened.stores.audit.records(Span(day, day + timedelta(days=1)))
    finally:
        opened.close()
    assert sum(record.action == "plan" for record in records) == HOURS * 4 + 1
    (mode,) = (record for record in records if "mode" in record.action.lower())
    assert mode.author == "admin:local"


@pytest.mark.parametrize(
    ("number", "switches", "sign"),
    [
        (signal.SIGINT, None, "plan 1: "),
        (signal.SIGINT, ("--port", "0"), "Page: "),
        (signal.SIGTERM, ("--headless",), "Demand"),
    ],
)
def test_a_stopped_demo_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, switches: tuple[str, ...] | None, sign: str
) -> None:
    words = ["-c", WATCHED] if switches is None else ["-m", "heliostat", "demo", *switches]
    process = _started(words, tmp_path)
    assert process.stdout is not None
    heard = ""
    while sign not in heard:
        line = process.stdout.readline()
        assert line, heard
        heard += line
    family = psutil.Process(process.pid).children(recursive=True)
    ports = _listening(process.pid)
    made = f"heliostat-demo-{process.pid}-*"
    assert len([*tmp_path.glob(made), *_shared_places(process.pid)]) == 1
    assert bool(ports) == (sign != "Demand")
    os.killpg(process.pid, number)  # as a terminal does: everybody in the group hears it
    try:
        rest, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        for left in (*family, psutil.Process(process.pid)):
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
        process.communicate()
        raise
    assert process.returncode == 130, heard + rest
    assert "Traceback" not in rest
    assert "Stopped. All processes and files were cleaned up." in rest
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    for port in ports:
        _check_free(port)
    assert list(tmp_path.iterdir()) == []
    assert _shared_places(process.pid) == []


def _listening(process_id: int) -> set[int]:
    """The ports that the process answers on."""
    sockets = psutil.Process(process_id).net_connections(kind="tcp")
    return {one.laddr.port for one in sockets if one.status == psutil.CONN_LISTEN}


def _check_free(port: int) -> None:
    """Another server can take the port: as every server does, whatever old connections linger."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", port))
        one.listen()


def _shared_places(process_id: int) -> list[Path]:
    """The demo's own directories in memory; other demos may run beside it."""
    return list(Path("/dev/shm").glob(f"heliostat-demo-{process_id}-*"))
