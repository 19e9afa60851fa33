"""The dependencies of every servicer, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.loops.control import ControlLoop
from heliostat.loops.manual import ManualDesk
from heliostat.ports.clock import Clock
from heliostat.ports.stores import Stores
from services.control_plane.bells import Bells
from services.control_plane.intake import UsageIntake
from services.control_plane.leader import Leader
from services.control_plane.metrics import Metrics
from services.control_plane.routes import RouteHub
from services.control_plane.threads import StoreThreads
from services.translation.usage import UsageLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The control plane's insides, as far as its servicers need them."""

    stores: Stores
    catalogue: FleetCatalogue
    clock: Clock
    loop: ControlLoop
    manual: ManualDesk
    leader: Leader
    threads: StoreThreads
    bells: Bells
    intake: UsageIntake
    routes: RouteHub
    metrics: Metrics
    usage_limits: UsageLimits
    command_lease: timedelta
