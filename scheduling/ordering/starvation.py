"""Requests that have waited so long that they go first (arXiv 2504.14966; the factor is ours)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scheduling.ordering.tables import Places, Tables

Flags = NDArray[np.bool_]


def starved(tables: Tables, after: float | None) -> Flags:
    """Whether each waited longer than `after` times the shorter of its promises, shape (n,)."""
    if after is None:
        return np.zeros(tables.count, dtype=np.bool_)
    return np.asarray(tables.waited > after * tables.tolerance)


def starved_first(order: Places, those: Flags, arrival: NDArray[np.float64]) -> Places:
    """The same order with the starved at its head, the longest waiting first."""
    if not those.any():
        return order
    head = np.flatnonzero(those)
    head = head[np.argsort(arrival[head], kind="stable")]
    return np.concatenate([head, order[~those[order]]])
