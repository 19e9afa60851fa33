"""Runs inside a worker process of the fan-out: one forecaster with its cached fits.

It imports numpy only after the number of its threads is set, so that lanes do not fight for cores.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion, Forecast

if TYPE_CHECKING:
    from forecasting.forecaster import SeasonalForecaster

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
# A worker process has nowhere else to keep something from one call to the next.
_LANE: list[SeasonalForecaster] = []


def prepare(pickled_settings: bytes) -> None:
    """Make this process's forecaster. The settings come pickled, for unpickling imports numpy.

    A terminal sends Ctrl-C to everybody: who started us ends us, when it needs us no more. Where it was
    killed and cannot, we end with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    from forecasting.forecaster import SeasonalForecaster

    settings = pickle.loads(pickled_settings)  # noqa: S301 - our own parent made the bytes
    _LANE[:] = [SeasonalForecaster(settings)]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def forecast(
    series: Sequence[DemandSeries],
    issued_at: datetime,
    horizon: timedelta,
    champions: Sequence[Champion],
) -> tuple[Forecast, ...]:
    """This lane's share of a forecast."""
    return _LANE[0].forecast(series, issued_at=issued_at, horizon=horizon, champions=champions)


def select(
    series: Sequence[DemandSeries], issued_at: datetime, horizon: timedelta
) -> tuple[Champion, ...]:
    """This lane's share of a selection."""
    return _LANE[0].select(series, issued_at=issued_at, horizon=horizon)
