"""Selects the best method for a series by a rolling-origin backtest on its own history.

Every candidate is fitted on what lies before the test window. Inside the window the errors of each
half make the quantiles that the other half scores: pinball loss over all levels, at the leads from
half the wanted horizon up to it. Nothing is ever fitted or calibrated on what it is scored on. A
challenger that is not clearly better than the default loses: a week's contest has much chance in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from forecasting.batches import Batch
from forecasting.conformal import floors, score_table, scores
from forecasting.fitting import rolling_errors
from forecasting.grid import Floats
from forecasting.ladder import days
from forecasting.means import observed_mean
from forecasting.methods.method import Method
from forecasting.methods.naive import NAIVE
from forecasting.panel import Panel
from forecasting.settings import ForecasterSettings
from heliostat.model.demand import DemandSeries
from heliostat.model.forecast import Champion

_FEWEST_ORIGINS = 4
_NAIVE_NAMES = frozenset(method.name for method in NAIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Losses of the candidates, shape (series, candidates), over `origins` rolling origins."""

    candidates: tuple[Method, ...]
    losses: Floats
    origins: int


def champions_of(
    batch: Batch,
    series: Sequence[DemandSeries],
    *,
    issued_at: datetime,
    horizon: timedelta,
    settings: ForecasterSettings,
) -> dict[int, Champion]:
    """By place with the caller; series too short or too holed to compare anything are left out."""
    alike: dict[tuple[int, tuple[Method, ...]], list[int]] = defaultdict(list)
    for row, history in enumerate(batch.histories):
        if history is not None:
            fit = tuple(m for m in settings.family.candidates if m.needs <= history.usable)
            alike[batch.begins[row], fit].append(row)
    found: dict[int, Champion] = {}
    for (begin, candidates), rows in alike.items():
        panel = batch.panel.since(begin).rows(rows)
        contest = contend(candidates, panel, horizon=horizon, settings=settings)
        if contest is None:
            continue
        for row, losses in zip(rows, contest.losses, strict=True):
            if not np.isnan(losses).all():
                place = batch.places[row]
                reason, method = _winner(contest, losses, horizon, settings)
                found[place] = Champion(
                    key=series[place].key,
                    method=method,
                    since=issued_at,
                    reason=reason,
                    losses=tuple(_named(contest, losses)),
                )
    return found


def contend(
    candidates: tuple[Method, ...],
    panel: Panel,
    *,
    horizon: timedelta,
    settings: ForecasterSettings,
) -> Contest | None:
    """Backtests the candidates on one panel; None when its last third holds too few origins."""
    grid = panel.grid
    furthest = max(1, grid.buckets(horizon))
    leads = np.arange(furthest // 2 + 1, furthest + 1)
    window = min(grid.buckets(settings.selection_window), panel.length // 3)
    begin = panel.length - window
    middle = begin + window // 2
    # No truth of one half reaches into the other.
    first = np.arange(begin, middle - furthest + 1, grid.per_hour)
    second = np.arange(middle, panel.length - furthest + 1, grid.per_hour)
    if min(len(first), len(second)) < _FEWEST_ORIGINS:
        return None
    origins = np.concatenate([first, second])
    halves = slice(0, len(first)), slice(len(first), None)
    floor = floors(panel.values[:, :begin])
    losses = np.empty((panel.series, len(candidates)))
    for column, method in enumerate(candidates):
        forecast, truth, _ = rolling_errors(
            method, panel, begin=begin, origins=origins, leads=leads
        )
        parts = [
            _losses(forecast, truth, floor, calibrating, scored, settings.levels)
            for calibrating, scored in (halves, halves[::-1])
        ]
        both = np.concatenate(parts, axis=1)
        losses[:, column] = observed_mean(both.reshape(len(both), -1), axis=1)
    return Contest(candidates=candidates, losses=losses, origins=len(origins))


def _losses(
    forecast: Floats,
    truth: Floats,
    floor: Floats,
    calibrating: slice,
    scored: slice,
    levels: tuple[float, ...],
) -> Floats:
    """Pinball losses (series, scored origins, leads, levels), tokens per second; NaN = no truth."""
    errors = scores(truth, forecast, floor)[:, calibrating]
    centre, came = forecast[:, scored], truth[:, scored]
    tables = np.array([score_table(row, levels) for row in errors])
    scale = centre + floor[:, None, None]
    quantiles = centre[..., None] + tables[:, None] * scale[..., None]
    return pinball(came[..., None], np.maximum(quantiles, 0.0), np.array(levels))


def pinball(truth: Floats, quantile: Floats, level: Floats) -> Floats:
    """Quantile loss (Koenker and Bassett, 1978): level·(truth - q) below the truth, else the rest."""
    error = truth - quantile
    return np.maximum(level * error, (level - 1) * error)


def _named(contest: Contest, losses: Floats) -> list[tuple[str, float]]:
    """The losses that are known, by method."""
    pairs = zip(contest.candidates, losses.tolist(), strict=True)
    return [(method.name, loss) for method, loss in pairs if not np.isnan(loss)]


def _winner(
    contest: Contest, losses: Floats, horizon: timedelta, settings: ForecasterSettings
) -> tuple[str, str]:
    """The reason, and the method that won."""
    known = dict(_named(contest, losses))
    best = min(known, key=lambda name: known[name])
    default = next((m.name for m in settings.family.defaults if m.name in known), best)
    where = f"at {days(horizon)} over {contest.origins} origins"
    if best != default and known[best] > (1 - settings.challenger_margin) * known[default]:
        reason = f"no challenger beats the default clearly {where}: pinball loss "
        reason += f"{known[default]:.4g} tokens/s, {best} {known[best]:.4g}"
        best = default
    else:
        reason = f"lowest pinball loss {where}: {known[best]:.4g} tokens/s"
    rivals = [name for name in known if name in _NAIVE_NAMES and name != best]
    if rivals:
        rival = min(rivals, key=lambda name: known[name])
        if known[rival] > 0:
            reason += f"; {1 - known[best] / known[rival]:.0%} below {rival}"
    return reason, best
