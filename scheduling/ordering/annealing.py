"""SLO-aware scheduling: simulated annealing over order and batches, and its control, a random walk.

Source: arXiv 2504.14966, priority mapping. Start from the better of arrival order and ascending predicted
seconds; return at once if all promises hold; squeeze a request into the batch before, delay it into the
next, or swap two; take a worse order with probability exp(Δ/T). The paper's temperatures (500 to 20)
accept everything, as G lies between 0.01 and 1: here Δ counts in promises (Δ = n − n₀, or ΔG·t₀), and T falls
from 2 to 0.02. Temperatures, decay and moves are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from heliostat.errors import InvalidInput
from scheduling.ordering.by_key import BY_KEY, arrival, predicted_seconds, sorted_by
from scheduling.ordering.doubt import as_executed
from scheduling.ordering.goal import Goal
from scheduling.ordering.on_time import most_on_time
from scheduling.ordering.port import Ordered, Queue
from scheduling.ordering.search import ANNEAL, LONGEST
from scheduling.ordering.starvation import Flags, starved, starved_first
from scheduling.ordering.tables import Places, Tables, filled, places, tables_of

Start = Callable[[Tables], Places]
"""An order to begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """Temperatures from `hot` by `decay` while at least `cold`; at each `moves` proposals, or one for
    each who waits where more wait.

    `walk`: accept every move; a random walk with as many evaluations, the control.
    """

    hot: float = 2.0
    cold: float = 0.02
    decay: float = 0.95
    moves: int = 50
    walk: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.cold <= self.hot < math.inf or not 0 < self.decay < 1 or self.moves < 1:
            raise InvalidInput("cooling", f"{self} needs 0 < cold ≤ hot, 0 < decay < 1, moves ≥ 1")

    @property
    def scale(self) -> float:
        """What temperatures are multiplied with."""
        return 1e12 if self.walk else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Annealing:
    """Searches the order that is best for `goal`; the defaults are the paper's form.

    Who waited longer than `starved_after` times its promise goes first, in order of arrival, and the
    search leaves it there (None: nobody does). With a `starved_share` below 1 only the longest waiting
    of them does, and only in that share of the orders: under overload the rule would else serve
    nobody but those who are late already. `doubtful`: search in the queue `as_executed`. `seconds_price`:
    how many promises the start's whole t is worth (G has a price of its own). `contented`: return at
    once when all promises hold at the start, however long it takes.
    """

    goal: Goal = Goal.GAIN
    starts: tuple[Start, ...] = (sorted_by(arrival), sorted_by(predicted_seconds))
    cooling: Cooling = Cooling()
    starved_after: float | None = 2.0
    starved_share: float = 1.0
    doubtful: bool = False
    seconds_price: float = 2.0
    contented: bool = True

    def __post_init__(self) -> None:
        if not self.starts:
            raise InvalidInput("annealing.starts", "needs an order to begin with")
        if self.starved_after is not None and not self.starved_after > 0:
            raise InvalidInput("annealing.starved_after", f"{self.starved_after} is not positive")
        if not 0 < self.starved_share <= 1:
            raise InvalidInput("annealing.starved_share", f"{self.starved_share} is not in (0, 1]")
        if not 0 <= self.seconds_price < math.inf:
            raise InvalidInput(
                "annealing.seconds_price", f"{self.seconds_price} is not a valid price"
            )

    def order(self, queue: Queue, chance: np.random.Generator) -> Ordered:
        plain = tables_of(queue)
        if plain.count >= LONGEST:
            raise InvalidInput(
                "queue.requests", f"{plain.count} exceed the maximum of {LONGEST - 1}"
            )
        if not plain.count:
            return plain.plan(places([])).ordered("the queue is empty")
        fixed = self._starved(plain, chance)
        tables = as_executed(plain) if self.doubtful else plain
        first = filled(tables.count, len(tables.run))
        order, met, was = self._start(tables, fixed, first)
        if self.contented and met > tables.count - 1e-9:
            return plain.plan(order).ordered("all promises hold from the start", len(self.starts))
        order, first, weighed = self._searched(tables, fixed, order, first, chance)
        found = plain.plan(order, None if queue.continuous and self.doubtful else first)
        now, seconds = tables.weighed(order, first, soft=self.goal is Goal.LIKELY)
        verb = "walked" if self.cooling.walk else "annealed"
        reason = (
            f"{verb} for {self.goal}: {met:.1f} → {now:.1f} of {tables.count} kept, "
            f"{was:.0f} → {seconds:.0f} s"
        )
        return found.ordered(reason, weighed + len(self.starts))

    def _starved(self, tables: Tables, chance: np.random.Generator) -> Flags:
        those = starved(tables, self.starved_after)
        if self.starved_share == 1 or not those.any():
            return those
        only = np.zeros_like(those)
        if chance.random() < self.starved_share:
            only[np.argmin(np.where(those, tables.arrival, np.inf))] = True
        return only

    def _start(self, tables: Tables, fixed: Flags, first: Places) -> tuple[Places, float, float]:
        """The best of the starts, with the starved first, and its n and t; of equals the first named."""
        best: tuple[Places, float, float] | None = None
        for start in self.starts:
            order = starved_first(start(tables), fixed, tables.arrival)
            met, seconds = tables.weighed(order, first, soft=self.goal is Goal.LIKELY)
            if best is None or self.goal.of(met, seconds) > self.goal.of(best[1], best[2]):
                best = order, met, seconds
        assert best is not None, "__post_init__ saw a start"
        return best

    def _searched(
        self,
        tables: Tables,
        fixed: Flags,
        order: Places,
        first: Places,
        chance: np.random.Generator,
    ) -> tuple[Places, Places, int]:
        cooling, found = self.cooling, order.copy()
        bounds = np.full(tables.count + 2, tables.count)
        bounds[: len(first)] = first
        batches, weighed, _, _ = ANNEAL[self.goal.compiled](
            *tables.compiled,
            fixed,
            float(tables.waited.sum()),
            found,
            bounds,
            len(first) - 1,
            self.goal.compiled,
            self.seconds_price,
            chance.integers(1 << 63, dtype=np.uint64),
            cooling.hot * cooling.scale,
            cooling.cold * cooling.scale,
            cooling.decay,
            max(cooling.moves, tables.count),
        )
        return found, bounds[: batches + 1], weighed


PAPER = Annealing()
"""The paper's form."""
RANDOM_WALK = Annealing(cooling=Cooling(walk=True))
"""The control: as many orders looked at, with no preference for better ones on the way."""
HELIOSTAT = Annealing(
    goal=Goal.LIKELY,
    starts=(most_on_time, *(sorted_by(rival.key) for rival in BY_KEY.values())),
    cooling=Cooling(hot=0.5, cold=0.01, moves=40),
    starved_share=0.02,
    doubtful=True,
    contented=False,
)
"""Ours: promises kept by probability, from the best of the cheap rivals and of Moore and Hodgson's order."""
