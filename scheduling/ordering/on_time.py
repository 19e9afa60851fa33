"""As many as can be on time: Moore and Hodgson's rule, with a request's share of a full batch as its length.

Of one machine that takes one job at a time it keeps most deadlines of all orders (Moore, Management
Science 15(1), 1968; the algorithm is Hodgson's). With larger batches it is a good beginning for a search.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from scheduling.ordering.doubt import as_executed
from scheduling.ordering.port import Ordered, Queue
from scheduling.ordering.tables import Places, Tables, places, tables_of


def most_on_time(tables: Tables) -> Places:
    """Those that can be on time together by deadline, then all others by predicted seconds.

    By deadline each is taken; when one would be late, the longest so far is given up instead.
    """
    takes = tables.lasts[-1] / (tables.queue.batch_cap if len(tables.run) > 1 else 1)
    due = tables.latest[-1] + takes
    by_due = np.lexsort((tables.arrival, due))
    chosen: list[tuple[float, int]] = []
    now = 0.0
    given_up = set()
    for i in by_due.tolist():
        heapq.heappush(chosen, (-float(takes[i]), i))
        now += float(takes[i])
        while chosen and now > due[i]:
            longest, dropped = heapq.heappop(chosen)
            given_up.add(dropped)
            now += longest
    rest = [i for i in np.lexsort((tables.arrival, tables.run[0])).tolist() if i in given_up]
    return places([i for i in by_due.tolist() if i not in given_up] + rest)


@dataclass(frozen=True, slots=True)
class MostOnTime:
    """Moore and Hodgson's order by itself: what a search has to be better than."""

    def order(self, queue: Queue, chance: np.random.Generator) -> Ordered:
        tables = tables_of(queue)
        order = most_on_time(as_executed(tables)) if tables.count else places([])
        return tables.plan(order).ordered("as many on time as possible, by deadline")
