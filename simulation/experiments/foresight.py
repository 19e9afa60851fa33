"""How far a run's forecasts were off: Σ|error| ÷ Σ truth of the median, for the hour ahead."""

from __future__ import annotations

from datetime import timedelta

from heliostat.model.demand import BUCKET, DemandSeries
from heliostat.model.forecast import ForecastExcerpt
from heliostat.model.instants import Span, floor_to
from heliostat.model.names import EVERYWHERE
from heliostat.ports.stores import Stores

AHEAD = timedelta(hours=1)
_MEDIAN = 0.5


def forecast_wape(stores: Stores, span: Span) -> float | None:
    """Over every region's series and every bucket of the run; None when nothing was forecast."""
    whole = Span(floor_to(span.start, BUCKET), floor_to(span.end, BUCKET))
    truths = [s for s in stores.usage.demand(whole, BUCKET) if s.key.demand.origin != EVERYWHERE]
    by_key = {series.key: series for series in truths}
    missed = came = 0.0
    for issued in stores.forecasts.excerpts(span, sorted(by_key)):
        pair = _expected_and_true(issued, by_key[issued.key])
        if pair is not None:
            missed += abs(pair[0] - pair[1])
            came += pair[1]
    return missed / came if came else None


def _expected_and_true(issued: ForecastExcerpt, truth: DemandSeries) -> tuple[float, float] | None:
    """The median for the bucket that ends an hour ahead, and what came; None where either is missing."""
    lead = AHEAD // issued.step - 1
    if lead not in issued.leads or _MEDIAN not in issued.levels:
        return None
    place = (issued.start + issued.step * lead - truth.start) // truth.step
    if not 0 <= place < len(truth.tokens_per_second):
        return None
    came = truth.tokens_per_second[place]
    if came is None:
        return None
    return issued.mean[issued.levels.index(_MEDIAN)][issued.leads.index(lead)], came
