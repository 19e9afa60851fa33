"""Lengths of single requests: quantile laws as tables of equally likely lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulation.workload.quantiles import LengthLaws, QuantileLaw

LEVELS = 1 << 16
"""How many lengths stand for a law: 16 bits of chance pick one of them."""
_MIDDLES = (np.arange(LEVELS) + 0.5) / LEVELS


class LengthTables(NamedTuple):
    """Rows of `LEVELS` equally likely lengths, one row a law, laid end to end: `(laws · LEVELS,)`."""

    prompt: NDArray[np.int32]
    output: NDArray[np.int32]


def length_tables(laws: Sequence[LengthLaws]) -> LengthTables:
    """Tables of those laws, in their order; no length is below one token."""
    return LengthTables(
        prompt=np.concatenate([_table(law.prompt) for law in laws]),
        output=np.concatenate([_table(law.output) for law in laws]),
    )


def _table(law: QuantileLaw) -> NDArray[np.int32]:
    return np.maximum(1, np.rint(law.at(_MIDDLES))).astype(np.int32)
