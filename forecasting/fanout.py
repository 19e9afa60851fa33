"""The same forecaster spread over worker processes that are kept alive.

A series always goes to the same lane (by a checksum of its key), where its fits are remembered.
Workers come from a fork server, never from a fork of this process: gRPC may be running in it.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self, TypeVar
from zlib import crc32

from forecasting import lane
from forecasting.settings import ForecasterSettings
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
Start = Callable[[ProcessPoolExecutor, Part], "Future[tuple[Result, ...]]"]
"""Submits a part of the work to a worker."""


class FanOutForecaster:
    """Keeps `heliostat.ports.forecasts.Forecaster` on `lanes` processes; answers like one in-process.

    A worker that dies is replaced and its share of the work repeated, up to three times, then
    WorkersUnavailable is raised: retry later. Call `close` (or use `with`) to end the processes.
    One thread at a time.
    """

    def __init__(self, settings: ForecasterSettings | None = None, *, lanes: int) -> None:
        if lanes < 1:
            raise InvalidInput("forecaster.lanes", f"{lanes} must be at least 1")
        self._settings = pickle.dumps(settings or ForecasterSettings())
        self._lanes: list[ProcessPoolExecutor | None] = [None] * lanes
        self._closed = False

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

        def start(worker: ProcessPoolExecutor, part: Part) -> Future[tuple[Forecast, ...]]:
            theirs = tuple(chosen[one.key] for one in part if one.key in chosen)
            return worker.submit(lane.forecast, part, issued_at, horizon, theirs)

        return self._spread(series, start)

    def select(
        self, series: Sequence[DemandSeries], *, issued_at: datetime, horizon: timedelta
    ) -> tuple[Champion, ...]:
        """See the port and `SeasonalForecaster.select`."""

        def start(worker: ProcessPoolExecutor, part: Part) -> Future[tuple[Champion, ...]]:
            return worker.submit(lane.select, part, issued_at, horizon)

        return self._spread(series, start)

    def worker_ids(self) -> tuple[int, ...]:
        """Process ids of the lanes that are running, for whoever watches their memory."""
        alive = [worker for worker in self._lanes if worker is not None]
        return tuple(worker.submit(os.getpid).result() for worker in alive)

    def close(self) -> None:
        """End the worker processes and wait for them; may be called twice."""
        self._closed = True
        for number in range(len(self._lanes)):
            self._end(number)

    def _spread(self, series: Sequence[DemandSeries], start: Start[Result]) -> tuple[Result, ...]:
        """Each lane's part started on its lane, and all answers in the order of `series`."""
        if self._closed:
            raise WorkersUnavailable("the forecaster's workers were closed")
        parts: dict[int, list[DemandSeries]] = {}
        for one in series:
            parts.setdefault(crc32(str(one.key).encode()) % len(self._lanes), []).append(one)
        answers: dict[SeriesKey, Result] = {}
        for _ in range(_ATTEMPTS):
            for number, answer in self._attempt(parts, start).items():
                answers.update((one.key, one) for one in answer)
                del parts[number]
            if not parts:
                return tuple(answers[one.key] for one in series if one.key in answers)
        raise WorkersUnavailable(
            f"forecasting workers died {_ATTEMPTS} times on the same work",
            remedy="look for killed processes (memory?) and retry",
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
            except BrokenProcessPool:
                self._end(number)
        for number, future in running.items():
            try:
                answers[number] = future.result()
            except BrokenProcessPool:
                self._end(number)
        return answers

    def _lane(self, number: int) -> ProcessPoolExecutor:
        worker = self._lanes[number]
        if worker is None:
            worker = ProcessPoolExecutor(
                max_workers=1,
                mp_context=multiprocessing.get_context("forkserver"),
                initializer=lane.prepare,
                initargs=(self._settings,),
            )
            self._lanes[number] = worker
        return worker

    def _end(self, number: int) -> None:
        worker = self._lanes[number]
        self._lanes[number] = None
        if worker is not None:
            worker.shutdown(wait=True, cancel_futures=True)
