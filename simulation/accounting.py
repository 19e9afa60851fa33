"""Adds up what an estate costs, minute by minute, since prices depend on how many VMs stand at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from heliostat.model.names import DemandKey, RegionName, Tier, VmTypeName
from heliostat.model.usage import WINDOW
from simulation.accounts import Accounts
from simulation.engine import TierTally
from simulation.estate import Estate
from simulation.replica import BILLED, OVERHEAD, Stage
from simulation.stage_ledger import StageSeconds

SECONDS_PER_HOUR = 3600.0
_EVENTS = ("bought", "redeployed", "released", "failed", "refused")
_Place = tuple[RegionName, VmTypeName]


class Accountant:
    """Charges each minute of an estate, and closes its accounts."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._catalogue = estate.catalogue
        self._gpus = {
            pool.key: estate.catalogue.vm_type(pool.key.vm_type).gpus
            for pool in estate.catalogue.pools
        }
        self._dollars = 0.0
        self._billed: Counter[_Place] = Counter()

    def close_minute(self, end: datetime) -> None:
        """Charge the minute that ends here; call it for each, in order."""
        billed: Counter[_Place] = Counter()
        for (pool, stage), seconds in self._estate.stage_seconds(end).items():
            if stage in BILLED:
                billed[pool.region, pool.vm_type] += seconds
        for place, price in self._catalogue.prices.items():
            vms = (billed[place] - self._billed[place]) / WINDOW.total_seconds()
            paid_anyway = price.reserved_vms
            rate = (
                paid_anyway * (price.on_demand if price.reserved is None else price.reserved)
                + max(0.0, vms - paid_anyway) * price.on_demand
            )
            self._dollars += rate * WINDOW.total_seconds() / SECONDS_PER_HOUR
        self._billed = billed

    def accounts(self, until: datetime) -> Accounts:
        """All figures from the start until `until`."""
        seconds = self._estate.stage_seconds(until)
        tallies = self._estate.engine.tallies()
        total = _sum(tallies.values())
        work = sum(
            gpus * self._estate.engine.busy_seconds(pool) for pool, gpus in self._gpus.items()
        )
        return Accounts(
            gpu_hours_billed=self._gpu_hours(seconds, BILLED),
            gpu_hours_lent=0.0,
            cost_dollars=self._dollars,
            scaling_overhead_gpu_hours=self._gpu_hours(seconds, OVERHEAD),
            idle_gpu_hours=self._gpu_hours(seconds, (Stage.READY,)) - work / SECONDS_PER_HOUR,
            offered=total.offered,
            admitted=total.admitted,
            completed=total.completed,
            shed=total.shed,
            input_tokens=total.input_tokens,
            output_tokens=total.output_tokens,
            slo_attainment=_attainments(tallies),
            slo_attainment_overall=total.attainment,
            scale_events=self._events(),
        )

    def _gpu_hours(self, seconds: StageSeconds, stages: tuple[Stage, ...]) -> float:
        gpu_seconds = sum(
            self._gpus[pool] * count for (pool, stage), count in seconds.items() if stage in stages
        )
        return gpu_seconds / SECONDS_PER_HOUR

    def _events(self) -> Mapping[str, int]:
        happened: Counter[str] = Counter()
        for region in self._estate.regions.values():
            happened.update(region.happened)
            happened["refused"] += region.market.refused
        return {event: happened[event] for event in _EVENTS}


def _attainments(tallies: Mapping[DemandKey, TierTally]) -> Mapping[Tier, float | None]:
    return {
        tier: _sum(tally for key, tally in tallies.items() if key.tier is tier).attainment
        for tier in Tier
    }


def _sum(tallies: Iterable[TierTally]) -> TierTally:
    each = tuple(tallies)
    return TierTally(
        offered=sum(t.offered for t in each),
        admitted=sum(t.admitted for t in each),
        shed=sum(t.shed for t in each),
        completed=sum(t.completed for t in each),
        input_tokens=sum(t.input_tokens for t in each),
        output_tokens=sum(t.output_tokens for t in each),
        started=sum(t.started for t in each),
        met=sum(t.met for t in each),
    )
