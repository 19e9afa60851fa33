"""The port of the fleet log: reported fleet state, which the planner reads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from heliostat.model.fleet import CapacityDenial, Fleet, LeadTimeSample, RegionObservation
from heliostat.model.holding import AgentLife, RegionHold
from heliostat.model.names import RegionName


class FleetLog(Protocol):
    """Keeps each region's newest observation, measured lead times and refusals that still hold."""

    def observe(self, observation: RegionObservation, now: datetime) -> bool:
        """Keep it when it is newer than the one before, or the one before lies in the future
        (`model.fleet.is_ahead`: the clocks were set back); False when it is not kept. Append its lead times
        (a sample twice counts once). Repeatable."""
        ...

    def fleet(self, now: datetime) -> Fleet:
        """The fleet as last observed: FRESH, or ZERO where nothing stands; denials in force: not
        over, and none from too far in the future.
        The caller ages it."""
        ...

    def observation(self, region: RegionName) -> RegionObservation | None:
        """The region's newest observation, None when it never reported."""
        ...

    def claim(
        self, region: RegionName, agent: AgentLife, now: datetime, lease: timedelta
    ) -> RegionHold:
        """Take or renew the agent's hold of the region until `now + lease`, as `model.holding.claimed`
        decides, in one transaction. Repeatable.

        Raises RegionHeld; the hold before is kept then as it stands at `now` (`model.holding.standing`)."""
        ...

    def hold(self, region: RegionName) -> RegionHold | None:
        """The region's last hold, perhaps expired; None before the first."""
        ...

    def standing_hold(
        self, region: RegionName, now: datetime, lease: timedelta
    ) -> RegionHold | None:
        """The region's hold as it stands at `now` (`model.holding.standing`), and is kept from now on;
        None while nobody holds the region."""
        ...

    def deny(self, denial: CapacityDenial, now: datetime) -> None:
        """Keep a refusal; a newer one for the same region and VM type replaces an older. Those that lie
        too far in the future (`model.fleet.is_ahead`) are dropped."""
        ...

    def lead_times(self, since: datetime) -> tuple[LeadTimeSample, ...]:
        """Samples whose replica became ready at or after `since`, oldest first."""
        ...

    def prune(self, ready_before: datetime) -> int:
        """Drop lead times of replicas that became ready before; returns how many."""
        ...
