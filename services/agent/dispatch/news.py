"""Logs changes in dispatching: places taken back, and the basis of placement.

That replicas are ready before anybody has looked at them is no warning; that they were looked at and say
nothing, or nothing new, is one.
"""

from __future__ import annotations

import logging
from enum import StrEnum

from heliostat.model.dispatch import PlacementBasis
from heliostat.model.names import ModelName, RegionName
from services.agent.dispatch.placing import Placing
from services.agent.dispatch.replicas import Replicas
from services.agent.dispatch.tally import Tally
from services.log_events import say

_log = logging.getLogger(__name__)


class Why(StrEnum):
    """By what a model's places are given, and why so."""

    FRESH = "signals are fresh"
    NEW = "replicas are new and not observed yet"
    STALE = "signals are stale or missing"


class News:
    """Remembers what it said last; `tell` is called at every beat."""

    def __init__(
        self, region: RegionName, replicas: Replicas, placing: Placing, tally: Tally
    ) -> None:
        self._region = region
        self._replicas = replicas
        self._placing = placing
        self._tally = tally
        self._withdrawn = 0
        self._said: dict[ModelName, Why] = {}

    def tell(self, now: float) -> None:
        """Say what is new since the last time."""
        withdrawn = self._tally.counts.withdrawn - self._withdrawn
        if withdrawn:
            self._withdrawn += withdrawn
            say(_log, "places_withdrawn", region=self._region, requests=withdrawn)
        if self._replicas.taking_in:
            return  # who looks old may be fresh in the rest of the look
        for model in self._replicas.models:
            why, said = self._why(model, now), self._said.get(model, Why.FRESH)
            if why is said or (why is Why.NEW and said is Why.STALE):
                continue  # nor is it news that a replica joined those that say nothing
            self._say_basis(model, why)
            self._said[model] = why

    def _why(self, model: ModelName, now: float) -> Why:
        if self._placing.basis(model) is PlacementBasis.SIGNALS:
            return Why.FRESH
        return Why.NEW if self._placing.waits_for_looks(model, now) else Why.STALE

    def _say_basis(self, model: ModelName, why: Why) -> None:
        fresh, ready = self._replicas.ready(model)
        say(
            _log,
            "dispatch_basis_changed",
            level=logging.WARNING if why is Why.STALE else logging.INFO,
            region=self._region,
            model=model,
            basis=self._placing.basis(model),
            why=why,
            fresh_replicas=fresh,
            ready_replicas=ready,
        )
