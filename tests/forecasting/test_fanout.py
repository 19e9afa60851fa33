"""The fan-out: answers as in one process, whatever becomes of its workers and of whoever makes them."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from multiprocessing.forkserver import _forkserver, ensure_running
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from forecasting.fanout import FanOutForecaster
from forecasting.forecaster import SeasonalForecaster
from forecasting.settings import ForecasterSettings
from forecasting.worker import Worker
from heliostat.errors import InvalidInput, WorkersUnavailable
from heliostat.model.demand import DemandSeries
from tests.builders import NOON
from tests.forecasting.series import DAY, HOUR, demand, rates

MANY = [demand(rates(15, seed=seed), model=str(seed)) for seed in range(4)]


def test_dead_workers_are_replaced_and_their_work_repeated() -> None:
    settings = ForecasterSettings(levels=(0.5, 0.8))
    expected = SeasonalForecaster(settings).forecast(MANY, issued_at=NOON, horizon=DAY)
    with FanOutForecaster(settings, lanes=2) as forecaster:
        assert forecaster.forecast(MANY, issued_at=NOON, horizon=DAY) == expected
        killed = forecaster.worker_ids()
        for process in killed:
            os.kill(process, signal.SIGKILL)
        assert forecaster.forecast(MANY, issued_at=NOON, horizon=DAY) == expected
        replaced = forecaster.worker_ids()
        assert len(replaced) == 2
        assert not set(replaced) & set(killed)
    for process in replaced:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_workers_that_were_warmed_up_do_the_work_that_comes_later() -> None:
    with FanOutForecaster(lanes=2) as forecaster:
        assert forecaster.worker_ids() == ()
        forecaster.warm_up()
        warm = forecaster.worker_ids()
        assert len(warm) == 2
        forecaster.warm_up()
        assert forecaster.forecast(MANY, issued_at=NOON, horizon=DAY)
        assert forecaster.worker_ids() == warm


OWNER = """
import signal
from forecasting.fanout import FanOutForecaster
if __name__ == "__main__":
    forecaster = FanOutForecaster(lanes=2)
    forecaster.warm_up()
    print(*forecaster.worker_ids(), flush=True)
    signal.pause()
"""


def _an_owner(folder: Path) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A process, in a group of its own, with two workers that are warm."""
    program = folder / "owner.py"
    program.write_text(OWNER)
    owner = subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert owner.stdout is not None
    return owner, [psutil.Process(int(word)) for word in owner.stdout.readline().split()]


def test_workers_end_with_an_owner_that_was_killed(tmp_path: Path) -> None:
    owner, workers = _an_owner(tmp_path)
    owner.kill()
    owner.communicate()
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []


def test_workers_leave_ctrl_c_in_a_terminal_to_their_owner(tmp_path: Path) -> None:
    owner, workers = _an_owner(tmp_path)
    os.killpg(owner.pid, signal.SIGINT)
    _, said = owner.communicate()
    assert "KeyboardInterrupt" in said  # the owner's own: it does not handle it
    assert "ForkServerProcess" not in said
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="masks are read from /proc")
def test_ctrl_c_is_kept_from_workers_before_they_run_a_line_of_ours(tmp_path: Path) -> None:
    """The mask that they were made with: Ctrl-C while they began showed their traceback."""
    owner, workers = _an_owner(tmp_path)
    status = [Path(f"/proc/{worker.pid}/status").read_text().splitlines() for worker in workers]
    owner.kill()
    owner.communicate()
    (*masks,) = (line.split()[1] for lines in status for line in lines if line.startswith("SigBlk"))
    assert len(masks) == 2
    assert all(int(mask, 16) >> (signal.SIGINT - 1) & 1 for mask in masks)


def _waits_in(thread: threading.Thread, function: str) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_name == function:
            return True
        frame = frame.f_back
    return False


def test_workers_that_cannot_be_made_in_time_are_made_with_their_first_work() -> None:
    """SIGTERM to a whole group may end the fork server while it makes a worker."""
    ensure_running()
    server = psutil.Process(_forkserver._forkserver_pid)  # type: ignore[attr-defined] # no public way
    with FanOutForecaster(lanes=1) as forecaster:
        server.suspend()
        warming = threading.Thread(target=forecaster.warm_up)
        warming.start()
        while not _waits_in(warming, "read_signed"):
            assert warming.is_alive()
        server.kill()
        warming.join()
        assert forecaster.worker_ids() == ()
        assert len(forecaster.forecast(MANY, issued_at=NOON, horizon=DAY)) == len(MANY)


def test_work_that_kills_every_worker_is_given_up_with_a_typed_error() -> None:
    with (
        FanOutForecaster(DeadlySettings(), lanes=1) as forecaster,
        pytest.raises(WorkersUnavailable, match="died 3 times"),
    ):
        forecaster.select(MANY, issued_at=NOON, horizon=HOUR)


class DeadlySettings(ForecasterSettings):
    """Settings that end the process that unpickles them, as running out of memory would."""

    def __reduce__(self) -> tuple[Callable[[int], NoReturn], tuple[int]]:
        return os._exit, (9,)


def test_work_that_is_given_up_ends_at_once_and_unfinished() -> None:
    """The work would last for ever: it waits for a signal that nobody sends."""
    forecaster = FanOutForecaster(lanes=2)
    runs = threading.Event()

    def endless(worker: Worker, _part: Sequence[DemandSeries]) -> Future[Any]:
        future = worker.submit(signal.pause)
        threading.Thread(target=say_it_runs, args=(worker,)).start()
        return future

    def say_it_runs(worker: Worker) -> None:
        assert worker.process_id
        runs.set()

    def give_up() -> None:
        runs.wait()
        forecaster.give_up()

    other = threading.Thread(target=give_up)
    other.start()
    with pytest.raises(WorkersUnavailable, match="closed"):
        forecaster._spread(MANY, endless)
    other.join()
    forecaster.close()
    assert forecaster.worker_ids() == ()


def test_giving_up_before_anything_runs_is_closing() -> None:
    forecaster = FanOutForecaster(lanes=1)
    forecaster.give_up()
    with pytest.raises(WorkersUnavailable, match="closed"):
        forecaster.forecast(MANY, issued_at=NOON, horizon=DAY)
    forecaster.close()


def test_a_closed_forecaster_says_so_and_may_be_closed_again() -> None:
    forecaster = FanOutForecaster(lanes=1)
    forecaster.close()
    forecaster.close()
    with pytest.raises(WorkersUnavailable, match="closed"):
        forecaster.forecast(MANY, issued_at=NOON, horizon=DAY)


def test_at_least_one_lane_is_needed() -> None:
    with pytest.raises(InvalidInput, match="must be at least 1"):
        FanOutForecaster(lanes=0)
