"""Single requests out of a demand that is counted by the minute, and how long the simulated engines let
such a request wait: both drawn by seed, both samples of what happens anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from heliostat.model.latency import LatencySketch
from heliostat.model.names import DemandKey, ModelName, RegionName, Tier
from heliostat.model.usage import UsageWindow
from heliostat.ports.agent import UsageMeter
from simulation.arrivals import ArrivalRates

_SPREAD = 0.7
"""σ of a request's tokens around its minute's mean, in the logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledRequest:
    """One request; only its engine knows its output length."""

    model: ModelName
    tier: Tier
    input_tokens: int
    output_tokens: int


class Moments:
    """A clock for one region's dispatcher: the demo's, and seconds of a step in which nobody else acts."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.into_step = 0.0
        """Seconds since the step began; back to 0 with the next step."""

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self._now().timestamp() + self.into_step


class Sampler:
    """Draws requests that arrive in one region: models and tiers as often as they come."""

    def __init__(self, region: RegionName, day: ArrivalRates, chance: np.random.Generator) -> None:
        self._day = day
        self._keys: tuple[DemandKey, ...] = tuple(k for k in day.demands if k.origin == region)
        self._chance = chance

    def draw(self, at: datetime, count: int) -> Iterator[SampledRequest]:
        """That many of the minute before `at`; none when nothing arrived in it."""
        minute = min(max(self._day.minute_of(at) - 1, 0), self._day.minutes - 1)
        columns = [self._day.by_demand[key] for key in self._keys]
        offered = np.nan_to_num([column.offered[minute] for column in columns])
        if not offered.sum():
            return
        for place in self._chance.choice(len(columns), size=count, p=offered / offered.sum()):
            key, column = self._keys[place], columns[place]
            requests = column.offered[minute]
            yield SampledRequest(
                model=key.model,
                tier=key.tier,
                input_tokens=self._around(column.input_tokens[minute] / requests),
                output_tokens=self._around(column.output_tokens[minute] / requests),
            )

    def _around(self, mean: float) -> int:
        drawn = self._chance.lognormal(np.log(max(1.0, mean)) - _SPREAD**2 / 2, _SPREAD)
        return max(1, round(float(drawn)))


class SimulatedWaits:
    """Passes usage on, and keeps how long its newest windows' requests waited. Implements UsageMeter."""

    def __init__(self, meter: UsageMeter, region: RegionName) -> None:
        self._meter = meter
        self._region = region
        self._sketches: dict[tuple[ModelName, Tier], list[LatencySketch]] = {}

    def closed_windows(self, now: datetime) -> tuple[UsageWindow, ...]:
        windows = self._meter.closed_windows(now)
        self._sketches = {}
        for window in windows:
            if window.series.serving == self._region and window.ttft is not None:
                key = (window.series.model, window.series.tier)
                self._sketches.setdefault(key, []).append(window.ttft)
        return windows

    def ttft_seconds(
        self, model: ModelName, tier: Tier, chance: np.random.Generator
    ) -> float | None:
        """Of one request of the minutes since the last step; None when none of the kind started."""
        sketches = [s for s in self._sketches.get((model, tier), ()) if s.count]
        if not sketches:
            return None
        sketch = sketches[int(chance.integers(len(sketches)))]
        return sketch.quantile(float(chance.random()))
