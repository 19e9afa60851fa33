"""Where runs happen: a fleet, its demand with a past, and what goes wrong; the same for every policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.names import RegionName, VmTypeName
from simulation.arrivals import ArrivalRates
from simulation.troubles import CloudTroubles


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One scenario, ready to be lived from `begins` to `ends`.

    `arrivals` gives a seed's demand per minute, of which what lies before `begins` is history.
    `said` are sentences on how it was made and what it assumes.
    """

    name: str
    catalogue: FleetCatalogue
    begins: datetime
    ends: datetime
    arrivals: Callable[[int], ArrivalRates]
    troubles: Mapping[RegionName, CloudTroubles] = field(default_factory=dict)
    warm_vms: Mapping[VmTypeName, int] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ends <= self.begins:
            raise InvalidInput("scenario", f"{self.name} ends before it begins")
