"""`Slo.ttft_seconds` of many prompts at once."""

from __future__ import annotations

import numpy as np

from simulation.columns import Floats


def ttft_seconds(floor: float | Floats, multiple: float | Floats, unloaded: Floats) -> Floats:
    """TTFT bounds in seconds; `unloaded`: seconds that an idle reference VM takes to prefill each prompt."""
    bounds: Floats = np.maximum(floor, multiple * unloaded)
    return bounds
