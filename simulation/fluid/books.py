"""The fluid engine's books: a ledger per series, a tally per demand, windows to report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from heliostat.model.latency import LatencySketch
from heliostat.model.names import DemandKey, Tier
from heliostat.model.usage import UsageSeries, UsageWindow
from simulation.columns import Floats
from simulation.engine import TierLatencies, TierTally
from simulation.fluid.gateways import Counts, Split
from simulation.fluid.grid import TIERS, Grid
from simulation.fluid.latency import Start
from simulation.fluid.ledger import KINDS, OpenWindow, SeriesLedger
from simulation.fluid.service import MINUTE_SECONDS

Place = tuple[int, int, int, int]
"""(r, m, k, o): serving region, model, tier, origin."""


@dataclass(slots=True)
class _Tally:
    offered: int = 0
    admitted: int = 0
    completed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    started: float = 0.0
    met: float = 0.0


class Books:
    """Whole requests and tokens of all series."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._ledgers: dict[Place, SeriesLedger] = {}
        self._tallies: dict[DemandKey, _Tally] = {}

    def ledger(self, place: Place) -> SeriesLedger:
        """The series' ledger, new when it is seen for the first time."""
        known = self._ledgers.get(place)
        if known is None:
            known = self._ledgers[place] = SeriesLedger(series=self._series(place))
        return known

    def arrive(self, start: datetime, split: Split, impatient: Counts) -> None:
        """Open the windows of a minute: what came, less what gave up; shed requests count at home."""
        offered, tokens_in, tokens_out = (
            part.copy() for part in (split.offered, split.input_tokens, split.output_tokens)
        )
        admitted = split.offered - impatient
        part = admitted / np.maximum(split.offered, 1)
        generated = np.rint(tokens_out * part).astype(np.int64)
        home = np.arange(len(self._grid.regions))
        offered[home, :, :, home] += np.moveaxis(split.shed, -1, 0)
        tokens_in[home, :, :, home] += np.moveaxis(split.shed_input_tokens, -1, 0)
        for r, m, k, o in np.argwhere(offered > 0).tolist():
            at = (r, m, k, o)
            ledger = self.ledger(at)
            window = OpenWindow(
                start=start,
                before=ledger.arrived,
                offered=int(offered[at]),
                admitted=int(admitted[at]),
                input_tokens=int(tokens_in[at]),
                output_tokens=int(generated[at]),
            )
            ledger.arrive(window)
            tally = self._tally(at)
            tally.offered += window.offered
            tally.admitted += window.admitted
            tally.input_tokens += window.input_tokens

    def keep(self, starts: Sequence[Start], met: Floats) -> None:
        """Count what started, and what of it kept its promises."""
        for start, kept in zip(starts, met.tolist(), strict=True):
            tally = self._tally(start.place)
            tally.started += start.chunk.last - start.chunk.first
            tally.met += kept

    def complete(self, now_second: float, stays: Floats) -> None:
        """Complete what started long enough before `now_second`; stays are (R, M, K) seconds."""
        for place, ledger in self._ledgers.items():
            if not ledger.windows:
                continue
            before = sum(window.generated for window in ledger.windows)
            stay = float(stays[place[:3]])
            completed = ledger.complete(now_second - stay, MINUTE_SECONDS)
            tally = self._tally(place)
            tally.completed += completed
            tally.output_tokens += sum(window.generated for window in ledger.windows) - before

    def report(self) -> tuple[UsageWindow, ...]:
        """Every window that is new or changed, by series and time."""
        return tuple(
            window for place in sorted(self._ledgers) for window in self._ledgers[place].report()
        )

    def tallies(self) -> Mapping[DemandKey, TierTally]:
        """Totals per demand."""
        return {
            key: TierTally(
                offered=tally.offered,
                admitted=tally.admitted,
                shed=tally.offered - tally.admitted,
                completed=tally.completed,
                input_tokens=tally.input_tokens,
                output_tokens=tally.output_tokens,
                started=tally.started,
                met=tally.met,
            )
            for key, tally in sorted(self._tallies.items())
        }

    def offered(self) -> int:
        """Requests of all demands."""
        return sum(tally.offered for tally in self._tallies.values())

    def latencies(self, tier: Tier) -> TierLatencies:
        """All series' latencies of a tier so far."""
        of_tier = TIERS.index(tier)
        ledgers = [ledger for place, ledger in self._ledgers.items() if place[2] == of_tier]
        ttft, itl, e2e = (
            LatencySketch(sum((ledger.latencies(kind) for ledger in ledgers), Counter()))
            for kind in KINDS
        )
        return TierLatencies(ttft=ttft, itl=itl, e2e=e2e)

    def _series(self, place: Place) -> UsageSeries:
        r, m, k, o = place
        grid = self._grid
        return UsageSeries(
            origin=grid.regions[o], serving=grid.regions[r], model=grid.models[m], tier=TIERS[k]
        )

    def _tally(self, place: Place) -> _Tally:
        _, m, k, o = place
        key = DemandKey(origin=self._grid.regions[o], model=self._grid.models[m], tier=TIERS[k])
        return self._tallies.setdefault(key, _Tally())
