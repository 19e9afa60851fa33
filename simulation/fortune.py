"""What chance has in store for the VMs of one region: lead times, failed starts, failures, evictions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from numpy.random import Generator, SeedSequence

from heliostat.catalogue import FleetCatalogue
from heliostat.model.fleet import StartKind
from simulation.chance import drawn_lead_time, generator
from simulation.replica import Replica, Stage
from simulation.troubles import CloudTroubles

# Shares of the drawn lead time (order to ready) that pass before provisioning and before loading.
# Our assumption: a cold VM boots as long as it loads; a warm one has booted and mostly loads.
_UNTIL_PROVISIONING = 0.05
_UNTIL_LOADING = {StartKind.COLD: 0.5, StartKind.WARM: 0.2}


class Fortune:
    """Draws by replica, life and matter, so that no draw depends on the others."""

    def __init__(
        self, catalogue: FleetCatalogue, seeds: SeedSequence, troubles: CloudTroubles
    ) -> None:
        self._priors = catalogue.lead_time_priors
        self._seeds = seeds
        self._troubles = troubles

    def lead_time(self, replica: Replica) -> timedelta:
        """From the order to ready."""
        prior = self._priors[replica.pool.vm_type, replica.start_kind]
        return drawn_lead_time(self._rng(replica, "lead time"), prior.p50, prior.p90)

    def start(self, replica: Replica) -> Iterator[tuple[Stage, datetime]]:
        """The stages that a VM just ordered will enter, each with its instant."""
        lead, ordered = self.lead_time(replica), replica.ordered_at
        loading = ordered + _part(lead, _UNTIL_LOADING[replica.start_kind])
        yield Stage.PROVISIONING, ordered + _part(lead, _UNTIL_PROVISIONING)
        if self._rng(replica, "start").random() < self._troubles.start_failure_probability:
            yield Stage.FAILED, loading
            return
        yield Stage.LOADING, loading
        yield Stage.READY, ordered + lead

    def misfortunes(self, replica: Replica) -> Iterator[tuple[Stage, datetime]]:
        """What will befall a replica that has just become ready."""
        for what, per_day, become in (
            ("failure", self._troubles.failures_per_day, Stage.FAILED),
            ("eviction", self._troubles.evictions_per_day, Stage.DRAINING),
        ):
            if per_day:
                days = self._rng(replica, what).exponential(1 / per_day)
                yield become, replica.since + timedelta(seconds=round(days * 86400))

    def _rng(self, replica: Replica, what: str) -> Generator:
        return generator(self._seeds, what, replica.number, replica.life)


def _part(lead: timedelta, share: float) -> timedelta:
    return timedelta(seconds=round(lead.total_seconds() * share))
