"""What the forecast ledger in memory keeps whole, and what as excerpts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from heliostat.clock import SteppedClock
from heliostat.errors import UnknownForecast
from heliostat.model.instants import Span
from heliostat.model.names import TokenKind
from storage.memory import memory_stores
from tests.contracts.builders import T0, at, demand_key, forecast


def test_old_forecasts_may_stand_as_their_excerpts_alone() -> None:
    stores = memory_stores(SteppedClock(T0), forecasts_whole_for=timedelta(minutes=15))
    lease = stores.leadership.acquire("us", "here", timedelta(days=1))
    assert lease is not None
    key, other = demand_key(), demand_key(kind=TokenKind.OUTPUT)
    stores.forecasts.store((forecast(0, other),), epoch=lease.epoch)
    for minute in (0, 15, 30):
        stores.forecasts.store((forecast(minute),), epoch=lease.epoch)
    everything = Span(T0, at(60))
    whole = [(one.key, one.issued_at) for one in stores.forecasts.issued(everything)]
    assert whole == [(other, at(0)), (key, at(15)), (key, at(30))]  # each series' newest stays
    assert stores.forecasts.excerpts(everything, [key]) == tuple(
        forecast(minute).excerpt() for minute in (0, 15, 30)
    )
    with pytest.raises(UnknownForecast):
        stores.forecasts.get(key, at(14))
    assert stores.forecasts.prune(at(20)) == 3
    assert len(stores.forecasts.excerpts(everything, [key, other])) == 1


def test_a_forecast_that_is_stored_late_stands_in_its_place() -> None:
    """A clock that was set back a little issues earlier forecasts after later ones."""
    stores = memory_stores(SteppedClock(T0), forecasts_whole_for=timedelta(minutes=3))
    lease = stores.leadership.acquire("us", "here", timedelta(days=1))
    assert lease is not None
    key = demand_key()
    for minute in (0, 4, 3):
        stores.forecasts.store((forecast(minute),), epoch=lease.epoch)
    assert [stores.forecasts.get(key, at(m)).issued_at for m in (3, 4)] == [at(3), at(4)]
    stores.forecasts.store((forecast(7),), epoch=lease.epoch)
    whole = stores.forecasts.issued(Span(T0, at(60)))
    assert [one.issued_at for one in whole] == [at(4), at(7)]
