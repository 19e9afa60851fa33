"""A queue as its replica will execute it: uncertain lengths, batches as long as their longest, or none.

Ours, where the paper takes predicted lengths for true ones. (1) A batch of b lasts E[max] of b lengths, not
the longest mean. (2) Starts are sums of lengths, so their variance grows with them: around `latest` the
probability of a promise falls over the width of a uniform law of that variance. (3) With continuous
batching nobody waits for the longest of a batch: requests are put one after another, each taking its
share of a full batch (`flowing`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from scheduling.ordering.latency import Floats
from scheduling.ordering.tables import Tables

_NARROWEST_SECONDS = 1e-6
BATCHES_ERROR, FLOW_ERROR = 0.1, 0.3
"""Deviation of a start, as a share of it, by what batches and a flow leave out: prompts that differ, batches
that shrink, places that become free one by one, who will come meanwhile. Batches of one leave out nothing.
"""


def as_executed(tables: Tables) -> Tables:
    """The same queue with `lasts` and `sharp` by the doubt about outputs; of shape (1, n) for an engine with
    continuous batching."""
    if tables.queue.continuous and tables.queue.batch_cap > 1:
        return _flowing(tables)
    return _batched(tables)


def _batched(tables: Tables) -> Tables:
    sizes = tables.run.shape[0]
    lasts = tables.run + _expected_maxima(sizes)[:, None] * tables.doubt
    error = BATCHES_ERROR if sizes > 1 else 0.0
    return replace(tables, lasts=lasts, sharp=_sharp(tables, lasts, tables.doubt, error))


def _flowing(tables: Tables) -> Tables:
    cap = tables.queue.batch_cap
    full = replace(tables, run=tables.run[-1:], latest=tables.latest[-1:], doubt=tables.doubt[-1:])
    lasts = full.run / cap
    return replace(full, lasts=lasts, sharp=_sharp(full, lasts, full.doubt / cap, FLOW_ERROR))


@lru_cache(maxsize=64)
def _expected_maxima(sizes: int) -> Floats:
    """Of 1, 2 … `sizes` standard normal numbers, within 4 % (Blom, 1958)."""
    normal = NormalDist()
    return np.array(
        [normal.inv_cdf((many - 0.375) / (many + 0.25)) for many in range(1, sizes + 1)]
    )


def _sharp(tables: Tables, lasts: Floats, spread: Floats, error: float) -> Floats:
    """1 ÷ width of the doubt about (latest start − start), per size and request."""
    per_second = (spread**2).mean(axis=1) / lasts.mean(axis=1)
    own = np.where(np.isinf(tables.ends_by), 0.0, tables.doubt)
    ahead = np.clip(tables.latest, 0.0, None)
    variance = per_second[:, None] * ahead + own**2 + (error * ahead) ** 2
    return np.asarray(1.0 / np.maximum(np.sqrt(12.0 * variance), _NARROWEST_SECONDS))
