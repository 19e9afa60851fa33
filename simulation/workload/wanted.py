"""What demand a fleet is to get: when, at which level, in which tiers, with requests how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.names import ModelName
from simulation.arrivals import ArrivalRates
from simulation.workload.published import TIER_SHARES, model_shape
from simulation.workload.quantiles import LengthLaws
from simulation.workload.sizing import SecondsOf, model_replica_seconds
from simulation.workload.synthesis import LONGEST_DAYS, TierMix, check_level, lengths_of

HISTORY_DAYS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDemand:
    """`days` from `begins` on, after `history_days` of past.

    `busy_replicas` per model are busy over all regions in the busiest hour, at `seconds_of` a
    request; with `level_of_run` that is the busiest hour after the history. Requests fall on the
    tiers by `mix`. A model that `lengths` does not name gets the published lengths of its place. The
    same values give the same demand. Raises InvalidInput.
    """

    begins: datetime
    busy_replicas: float
    seed: int
    days: int = 1
    history_days: int = HISTORY_DAYS
    mix: TierMix = field(default_factory=lambda: TIER_SHARES)
    seconds_of: SecondsOf = model_replica_seconds
    level_of_run: bool = False
    shared_bursts: bool = False
    """Synthesised bursts strike all regions in the same minute."""
    lengths: Mapping[ModelName, LengthLaws] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_level(self.busy_replicas)
        if self.days < 1 or self.history_days < 0 or self.all_days > LONGEST_DAYS:
            raise InvalidInput(
                "days",
                f"{self.days} after {self.history_days} of history are not within [1, {LONGEST_DAYS}]",
            )

    @property
    def all_days(self) -> int:
        """History and the days to simulate."""
        return self.history_days + self.days

    @property
    def start(self) -> datetime:
        """When the history starts."""
        return self.begins - timedelta(days=self.history_days)

    def laws(self, catalogue: FleetCatalogue) -> Mapping[ModelName, LengthLaws]:
        """The lengths of every model's requests."""
        return {
            model.name: self.lengths.get(model.name) or lengths_of(model_shape(i))
            for i, model in enumerate(catalogue.models)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetDemand:
    """Demand for a fleet, history and run on one grid; `said` tells how it was made."""

    arrivals: ArrivalRates
    said: tuple[str, ...]
