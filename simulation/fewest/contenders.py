"""Placement rules: Aladdin's best fit as published and as we use it, and its baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scheduling.placement.margins import CAREFUL, HOUSE
from simulation.local_policy import Dispatch, Fit, LocalPolicy

CONTENDERS: Mapping[str, LocalPolicy] = {
    "best fit": LocalPolicy(dispatch=Dispatch.BEST_FIT),
    "best fit, careful": LocalPolicy(dispatch=Dispatch.BEST_FIT, fit=Fit(margins=CAREFUL)),
    "best fit, spread": LocalPolicy(
        dispatch=Dispatch.BEST_FIT, fit=Fit(margins=replace(CAREFUL, spread_beyond=0.0))
    ),
    "heliostat": LocalPolicy(dispatch=Dispatch.BEST_FIT, fit=Fit(margins=HOUSE)),
    "best fit, lengths known": LocalPolicy(dispatch=Dispatch.BEST_FIT, fit=Fit(length_error=0.0)),
    "KV best fit, lengths known": LocalPolicy(
        dispatch=Dispatch.KV_BEST_FIT, fit=Fit(length_error=0.0)
    ),
    "shortest queue": LocalPolicy(dispatch=Dispatch.LEAST_WORK),
    "power of two": LocalPolicy(dispatch=Dispatch.POWER_OF_TWO),
    "freeness": LocalPolicy(dispatch=Dispatch.FREENESS),
    "round robin": LocalPolicy(dispatch=Dispatch.ROUND_ROBIN),
    "random": LocalPolicy(dispatch=Dispatch.RANDOM),
}
"""By name; the shortest queue is that in expected seconds of work, the strongest we know of."""
