"""Adds up what an estate costs, minute by minute, since prices depend on how many VMs stand at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from heliostat.model.names import ModelName, RegionName, Tier, VmTypeName
from heliostat.model.usage import WINDOW
from simulation.accounts import STRICT_TTFT_SECONDS, Accounts
from simulation.engine import TierTally
from simulation.estate import Estate
from simulation.owing import gpu_hours_owed
from simulation.replica import BILLED, OVERHEAD, Stage
from simulation.stage_ledger import StageSeconds

SECONDS_PER_HOUR = 3600.0
_ALWAYS_SAID = ("bought", "redeployed", "released", "failed", "refused")
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
        total = summed(tallies.values())
        by_tier = {
            tier: summed(tally for key, tally in tallies.items() if key.tier is tier)
            for tier in Tier
        }
        work = sum(
            gpus * self._estate.engine.busy_seconds(pool) for pool, gpus in self._gpus.items()
        )
        stood = self._gpu_hours(seconds, BILLED)
        owed = gpu_hours_owed(self._by_model(seconds), tallies)
        return Accounts(
            gpu_hours_billed=stood + owed,
            gpu_hours_billed_by_vm_type=self._by_vm_type(seconds),
            gpu_hours_owed=owed,
            gpu_hours_lent=self._gpu_hours(seconds, (Stage.LENT,)),
            cost_dollars=self._dollars * (1 + owed / stood if stood else 1),
            scaling_overhead_gpu_hours=self._gpu_hours(seconds, OVERHEAD),
            idle_gpu_hours=self._gpu_hours(seconds, (Stage.READY,)) - work / SECONDS_PER_HOUR,
            offered=total.offered,
            admitted=total.admitted,
            completed=total.completed,
            shed=total.shed,
            retried=total.retried,
            lost=total.lost,
            input_tokens=total.input_tokens,
            output_tokens=total.output_tokens,
            slo_attainment={tier: tally.attainment for tier, tally in by_tier.items()},
            slo_attainment_overall=total.attainment,
            slo_attainment_reachable={
                tier: tally.attainment_of_reachable for tier, tally in by_tier.items()
            },
            slo_attainment_reachable_overall=total.attainment_of_reachable,
            strict_ttft_attainment=self._strict(by_tier[Tier.INTERACTIVE_FAST]),
            scale_events=self._events(),
            evictions=total.evicted,
            preemptions=total.preempted,
        )

    def _gpu_hours(self, seconds: StageSeconds, stages: tuple[Stage, ...]) -> float:
        gpu_seconds = sum(
            self._gpus[pool] * count for (pool, stage), count in seconds.items() if stage in stages
        )
        return gpu_seconds / SECONDS_PER_HOUR

    def _by_model(self, seconds: StageSeconds) -> Mapping[ModelName, float]:
        gpu_seconds: Counter[ModelName] = Counter()
        for (pool, stage), count in seconds.items():
            if stage in BILLED:
                gpu_seconds[pool.model] += self._gpus[pool] * count
        return {model: each / SECONDS_PER_HOUR for model, each in gpu_seconds.items()}

    def _by_vm_type(self, seconds: StageSeconds) -> Mapping[VmTypeName, float]:
        gpu_seconds: Counter[VmTypeName] = Counter()
        for (pool, stage), count in seconds.items():
            if stage in BILLED:
                gpu_seconds[pool.vm_type] += self._gpus[pool] * count
        types = sorted({pool.vm_type for pool in self._gpus})
        return {vm_type: gpu_seconds[vm_type] / SECONDS_PER_HOUR for vm_type in types}

    def _events(self) -> Mapping[str, int]:
        happened: Counter[str] = Counter()
        for region in self._estate.regions.values():
            happened.update(region.books.happened)
            happened["refused"] += region.market.refused
        return {event: happened[event] for event in (*_ALWAYS_SAID, *sorted(happened))}

    def _strict(self, fast: TierTally) -> float | None:
        """The share of interactive-fast requests that started within the strict bound."""
        judged = fast.started + fast.shed
        measured = self._estate.engine.latencies(Tier.INTERACTIVE_FAST)
        if not judged or measured is None:
            return None
        in_time = measured.ttft.share_at_most(STRICT_TTFT_SECONDS) or 0.0
        return in_time * measured.ttft.count / judged


def summed(tallies: Iterable[TierTally]) -> TierTally:
    """All of them together; `reachable` is None when one of them with requests did not measure it."""
    each = tuple(tallies)
    judged = [t.reachable for t in each if t.started + t.shed > 0]
    return TierTally(
        offered=sum(t.offered for t in each),
        admitted=sum(t.admitted for t in each),
        shed=sum(t.shed for t in each),
        completed=sum(t.completed for t in each),
        input_tokens=sum(t.input_tokens for t in each),
        output_tokens=sum(t.output_tokens for t in each),
        started=sum(t.started for t in each),
        met=sum(t.met for t in each),
        reachable=None if None in judged else sum(r for r in judged if r is not None),
        retried=sum(t.retried for t in each),
        lost=sum(t.lost for t in each),
        preempted=sum(t.preempted for t in each),
        evicted=sum(t.evicted for t in each),
    )
