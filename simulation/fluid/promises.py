"""What each tier promises and how long its requests are willing to queue, as arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from heliostat.catalogue import TierSpec
from simulation.clients import Clients
from simulation.columns import Floats
from simulation.fluid.grid import TIERS, Grid
from simulation.promised import ttft_seconds

Places = NDArray[np.int64]


class Promises:
    """(M, K) arrays; a tier that a model does not offer promises nothing."""

    def __init__(self, grid: Grid) -> None:
        specs = [[model.tier(tier) for tier in TIERS] for model in grid.catalogue.models]

        def column(value: Callable[[TierSpec], float], missing: float = 0.0) -> Floats:
            return np.array([[missing if s is None else value(s) for s in row] for row in specs])

        self.ttft_floor = column(lambda spec: spec.slo.ttft_floor_seconds)
        self.ttft_multiple = column(lambda spec: spec.slo.ttft_prefill_multiple)
        self.token_gap = column(lambda spec: spec.slo.itl_seconds)
        self.finish = column(_finish_seconds)
        self.patience = column(Clients().patience_seconds)
        self.assumed_input = column(lambda spec: spec.assumed_input_tokens, missing=1.0)
        self.assumed_output = column(lambda spec: spec.assumed_output_tokens, missing=1.0)
        self.reference = column(
            lambda spec: grid.vm_type_at.get(spec.slo.reference_vm_type, 0)
        ).astype(np.int64)
        """The place of the reference VM type, whose unloaded prefill `ttft_multiple` stretches."""

    def ttft(self, m: Places, k: Places, unloaded_prefill: Floats) -> Floats:
        """(C, N) TTFT bounds of (C, N) prompts that an idle reference VM prefills in that time."""
        return ttft_seconds(
            self.ttft_floor[m, k][:, None], self.ttft_multiple[m, k][:, None], unloaded_prefill
        )


def _finish_seconds(spec: TierSpec) -> float:
    return np.inf if spec.slo.deadline is None else spec.slo.deadline.total_seconds()
