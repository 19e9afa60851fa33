"""The same forecaster on persistent worker processes.

A series always goes to the same lane (by a checksum of its key), where its fits are remembered.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock
from types import TracebackType
from typing import Protocol, Self, TypeVar
from zlib import crc32

from forecasting import lane
from forecasting.settings import ForecasterSettings
from forecasting.worker import Worker
from heliostat.errors import InvalidInput, WorkersUnavailable
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion, Forecast
from heliostat.model.names import SeriesKey

_ATTEMPTS = 3


class _Keyed(Protocol):
    @property
    def key(self) -> SeriesKey: ...


Result = TypeVar("Result", bound=_Keyed)
Part = tuple[DemandSeries, ...]
Start = Callable[[Worker, Part], "Future[tuple[Result, ...]]"]
"""Submits a part of the work to a worker."""


class FanOutForecaster:
    """Keeps `heliostat.ports.forecasts.Forecaster` on `lanes` processes; answers like one in-process.

    A worker that dies is replaced and its share of the work repeated, up to three times, then
    WorkersUnavailable is raised: retry later. Call `close` (or use `with`) to end the processes.
    One thread at a time; `give_up` may come from another.
    """

    def __init__(self, settings: ForecasterSettings | None = None, *, lanes: int) -> None:
        if lanes < 1:
            raise InvalidInput("forecaster.lanes", f"{lanes} must be at least 1")
        self._settings = pickle.dumps(settings or ForecasterSettings())
        self._lanes: list[Worker | None] = [None] * lanes
        self._closed = False
        self._door = Lock()
        """Held while a lane gets its worker, so that none comes after giving up."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def forecast(
        self,
        series: Sequence[DemandSeries],
        *,
        issued_at: datetime,
        horizon: timedelta,
        champions: Sequence[Champion] = (),
    ) -> tuple[Forecast, ...]:
        """See the port and `SeasonalForecaster.forecast`."""
        chosen = {champion.key: champion for champion in champions}

        def start(worker: Worker, part: Part) -> Future[tuple[Forecast, ...]]:
            theirs = tuple(chosen[one.key] for one in part if one.key in chosen)
            return worker.submit(lane.forecast, part, issued_at, horizon, theirs)

        return self._spread(series, start)

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        """See the port and `SeasonalForecaster.select`."""

        def start(worker: Worker, part: Part) -> Future[tuple[Champion, ...]]:
            return worker.submit(lane.select, part, issued_at, horizon)

        return self._spread(series, start)

    def warm_up(self) -> None:
        """Start every lane's process now, not with its first work; does not wait for them.

        One that does not start is tried again with its first work.
        """
        for number in range(len(self._lanes)):
            with suppress(BrokenProcessPool):
                self._lane(number)

    def worker_ids(self) -> tuple[int, ...]:
        """Process ids of the lanes that are running, for whoever watches their memory."""
        return tuple(worker.process_id for worker in self._lanes if worker is not None)

    def give_up(self) -> None:
        """End running work now, unfinished: whoever waits for it gets WorkersUnavailable. `close` still
        has to be called."""
        with self._door:
            self._closed = True
            running = [worker for worker in self._lanes if worker is not None]
        for worker in running:
            worker.kill()

    def close(self) -> None:
        """End the worker processes and wait for them; may be called twice."""
        self._closed = True
        for number in range(len(self._lanes)):
            self._end(number)

    def _spread(self, series: Sequence[DemandSeries], start: Start[Result]) -> tuple[Result, ...]:
        """Each lane's part started on its lane, and all answers in the order of `series`."""
        parts: dict[int, list[DemandSeries]] = {}
        for one in series:
            parts.setdefault(crc32(str(one.key).encode()) % len(self._lanes), []).append(one)
        answers: dict[SeriesKey, Result] = {}
        for _ in range(_ATTEMPTS):
            self._check_open()
            for number, answer in self._attempt(parts, start).items():
                answers.update((one.key, one) for one in answer)
                del parts[number]
            if not parts:
                return tuple(answers[one.key] for one in series if one.key in answers)
        raise WorkersUnavailable(
            f"forecasting workers died {_ATTEMPTS} times on the same work",
            remedy="check for killed processes (out of memory?) and retry",
        )

    def _attempt(
        self, parts: dict[int, list[DemandSeries]], start: Start[Result]
    ) -> dict[int, tuple[Result, ...]]:
        """What the lanes that stayed alive answered; the others are ended, to be replaced."""
        answers: dict[int, tuple[Result, ...]] = {}
        running: dict[int, Future[tuple[Result, ...]]] = {}
        for number, part in parts.items():
            try:
                running[number] = start(self._lane(number), tuple(part))
            except RuntimeError:  # the process died, or somebody gave up
                self._end(number)
        for number, future in running.items():
            try:
                answers[number] = future.result()
            except (BrokenProcessPool, CancelledError):
                self._end(number)
        return answers

    def _lane(self, number: int) -> Worker:
        with self._door:
            self._check_open()
            worker = self._lanes[number]
            if worker is None:
                worker = self._lanes[number] = Worker(self._settings)
            return worker

    def _check_open(self) -> None:
        if self._closed:
            raise WorkersUnavailable("the forecaster's workers were closed")

    def _end(self, number: int) -> None:
        worker = self._lanes[number]
        self._lanes[number] = None
        if worker is not None:
            worker.end()
