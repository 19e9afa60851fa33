"""What every forecast ledger promises."""

from __future__ import annotations

from datetime import timedelta

import pytest

from heliostat.errors import UnknownForecast
from heliostat.model.forecast import Champion, ForecastScore
from heliostat.model.instants import Span
from heliostat.model.names import EVERYWHERE, SeriesKey, TokenKind
from tests.contracts.builders import T0, US, at, demand_key, forecast
from tests.contracts.worlds import World

OUTPUT = demand_key(kind=TokenKind.OUTPUT)


def score(method: str = "harmonic", wape: float | None = 0.1, hours: int = 1) -> ForecastScore:
    return ForecastScore(
        key=demand_key(),
        method=method,
        horizon=timedelta(hours=hours),
        scored=4,
        wape=wape,
        bias=None,
        pinball=1 / 3,
        coverage=((0.5, 0.4), (0.9, 1.0)),
    )


def champion(key: SeriesKey, method: str = "harmonic") -> Champion:
    return Champion(key=key, method=method, since=T0, reason="best", losses=(("naive", 1 / 3),))


def test_nothing_was_issued_at_first(world: World) -> None:
    ledger = world.stores.forecasts
    assert ledger.latest(T0) == ()
    assert ledger.issued(Span(T0, at(60))) == ()
    assert ledger.champions() == ()
    assert ledger.scores() == ()
    assert ledger.prune(at(60)) == 0
    with pytest.raises(UnknownForecast):
        ledger.get(demand_key(), T0)


def test_forecasts_read_back_equal_to_the_last_bit(world: World) -> None:
    issued = (forecast(degraded="two days of history"), forecast(key=demand_key(EVERYWHERE)))
    world.stores.forecasts.store(issued, epoch=world.lead())
    found = world.open_again().forecasts.latest(at(0))
    assert found == tuple(sorted(issued, key=lambda one: one.key))


def test_the_latest_is_the_last_issued_up_to_then_of_each_series(world: World) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    ledger.store((forecast(0), forecast(0, OUTPUT)), epoch=epoch)
    ledger.store((forecast(15),), epoch=epoch)
    assert ledger.latest(at(14)) == (forecast(0), forecast(0, OUTPUT))
    assert ledger.latest(at(15)) == (forecast(15), forecast(0, OUTPUT))
    assert ledger.latest(at(-1)) == ()
    assert ledger.get(demand_key(), at(99)) == forecast(15)
    with pytest.raises(UnknownForecast):
        ledger.get(demand_key(US), at(99))
    with pytest.raises(UnknownForecast):
        ledger.get(demand_key(), at(-1))


def test_what_was_issued_is_never_changed(world: World) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    ledger.store((forecast(),), epoch=epoch)
    ledger.store((forecast(method="naive"),), epoch=epoch)
    assert ledger.latest(T0) == (forecast(),)


def test_what_a_clock_issued_that_was_set_back_since_is_dropped(world: World) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    ledger.store((forecast(0), forecast(0, OUTPUT)), epoch=epoch)
    ledger.store((forecast(600), forecast(600, OUTPUT)), epoch=epoch)
    ledger.store((forecast(15), forecast(30)), epoch=epoch)
    assert ledger.latest(at(615)) == (forecast(30), forecast(0, OUTPUT))
    everything = Span(at(0), at(900))
    assert len(ledger.excerpts(everything, [demand_key(), OUTPUT])) == 4
    ledger.store((forecast(600, method="naive"),), epoch=epoch)
    assert ledger.latest(at(600)) == (forecast(600, method="naive"), forecast(0, OUTPUT))


def test_what_another_clock_issued_a_little_later_is_kept(world: World) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    ledger.store((forecast(1),), epoch=epoch)
    ledger.store((forecast(0), forecast(0, OUTPUT)), epoch=epoch)
    ledger.store((), epoch=epoch)
    assert ledger.latest(at(1)) == (forecast(1), forecast(0, OUTPUT))


def test_issued_forecasts_are_listed_by_instant_and_series(world: World) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    ledger.store(
        [forecast(m, key) for m in (30, 0, 15) for key in (OUTPUT, demand_key())], epoch=epoch
    )
    found = ledger.issued(Span(at(0), at(30)))
    assert [(one.issued_at, one.key) for one in found] == [
        (at(0), demand_key()),
        (at(0), OUTPUT),
        (at(15), demand_key()),
        (at(15), OUTPUT),
    ]
    assert ledger.issued(Span(at(15), at(60)), [OUTPUT]) == (
        forecast(15, OUTPUT),
        forecast(30, OUTPUT),
    )
    assert ledger.issued(Span(at(0), at(60)), [demand_key(US)]) == ()


def test_excerpts_are_the_scored_parts_of_what_was_issued(world: World) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    row = tuple(step / 3 for step in range(2 * 96))
    days = [
        forecast(m, key, mean=(row, row), peak=(row, row))
        for m in (30, 0, 15)
        for key in (OUTPUT, demand_key(), demand_key(US))
    ]
    ledger.store(days, epoch=epoch)
    keys, span = [demand_key(), OUTPUT], Span(at(0), at(30))
    found = ledger.excerpts(span, keys)
    assert found == tuple(one.excerpt() for one in ledger.issued(span, keys))
    assert len(found) == 4
    assert found[0].leads == (0, 3, 15, 95)
    assert found[0].mean[1] == (0.0, 1.0, 5.0, 95 / 3)


def test_excerpts_of_no_series_are_none(world: World) -> None:
    ledger = world.stores.forecasts
    ledger.store((forecast(),), epoch=world.lead())
    assert ledger.excerpts(Span(at(0), at(30)), []) == ()
    assert ledger.excerpts(Span(at(0), at(30)), [demand_key(US)]) == ()


def test_new_champions_take_the_place_of_all_before(world: World) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    ledger.store_champions((champion(demand_key()), champion(OUTPUT)), epoch=epoch)
    ledger.store_champions((champion(OUTPUT, "naive"),), epoch=epoch)
    assert world.open_again().forecasts.champions() == (champion(OUTPUT, "naive"),)


def test_the_newest_score_of_each_method_and_horizon_counts(world: World) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    ledger.store_scores((score(), score("naive"), score(hours=4)), at(15), epoch=epoch)
    ledger.store_scores((score(wape=0.2),), at(30), epoch=epoch)
    wanted = (score(wape=0.2), score(hours=4), score("naive"))
    assert ledger.scores() == wanted
    assert ledger.scores([demand_key()]) == wanted
    assert ledger.scores([OUTPUT]) == ()


def test_a_score_made_after_the_clock_was_set_back_takes_the_place_of_the_one_before(
    world: World,
) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    ledger.store_scores((score(wape=0.2),), at(60), epoch=epoch)
    ledger.store_scores((score(wape=0.4),), at(15), epoch=epoch)
    assert ledger.scores() == (score(wape=0.4),)


def test_old_forecasts_go_when_told(world: World) -> None:
    ledger, epoch = world.stores.forecasts, world.lead()
    ledger.store([forecast(m) for m in (0, 15, 30)], epoch=epoch)
    assert ledger.prune(at(15)) == 1
    assert ledger.issued(Span(at(0), at(60))) == (forecast(15), forecast(30))
