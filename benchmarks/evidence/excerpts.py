"""What of a run goes into a ledger: the figures that pages speak of, and curves thin enough to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from benchmarks.evidence.ledger import Curve
from heliostat.model.names import Tier
from simulation.experiments.ceilings import LP_DOLLARS, LP_GPU_HOURS, LP_GPU_HOURS_AT_LEAST_COST
from simulation.experiments.result import IDLE, OVERHEAD, OWED, Record, RunResult

ON_A100 = "gpu_hours_billed_on_a100"
"""Billed on VM types whose name says A100."""
RECOVERY = "minutes_until_as_usual"
"""Mean minutes of an hour until interactive-fast requests keep their promise as before the bursts."""
KEPT_AGAIN = 0.99
_A100 = "gpu_hours_billed_by_vm_type.a100"
_HOUR = 3600
_P90 = {
    f"ttft/{tier}": f"ttft_seconds.{tier}.p90"
    for tier in (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL)
}
_INTERACTIVE = str(Tier.INTERACTIVE_FAST)
FIGURES = (
    "gpu_hours_billed",
    OWED,
    "gpu_hours_lent",
    OVERHEAD,
    IDLE,
    "cost_dollars",
    "offered",
    "completed",
    "shed",
    "slo_attainment_judged",
    *(f"slo_attainment.{tier}" for tier in Tier),
    "strict_ttft_attainment",
    *(
        f"ttft_seconds.{tier}.{level}"
        for tier in (Tier.INTERACTIVE_FAST, Tier.INTERACTIVE_NORMAL)
        for level in ("p50", "p95", "p99")
    ),
    "itl_seconds.interactive-fast.p95",
    "scale_events",
    "evictions",
    "preemptions",
    "forecast_wape",
    LP_GPU_HOURS,
    LP_DOLLARS,
    LP_GPU_HOURS_AT_LEAST_COST,
)
MOST_STEPS = 360


def figures_of(run: RunResult, bursts_from: int | None = None) -> dict[str, float | None]:
    """The run's figures by name; `bursts_from` is the hour of the run at which bursts begin.

    A run taken up from a ledger has figures alone, the derived ones among them.
    """
    told = (*FIGURES, ON_A100, *_P90.values())
    found = {name: run.figures[name] for name in told if name in run.figures}
    on_a100 = [run.figures[name] for name in run.figures if name.startswith(_A100)]
    if on_a100 and None not in on_a100:
        found[ON_A100] = sum(hours for hours in on_a100 if hours is not None)
    for name, figure in _P90.items():
        if name in run.latencies:
            found[figure] = run.sketch(name).quantile(0.9)
    if bursts_from is not None and run.record is not None:
        found[RECOVERY] = recovery_minutes(run.record, bursts_from)
    return found


def recovery_minutes(record: Record, first_hour: int) -> float | None:
    """Mean over the hours from `first_hour` on: when the promise is first kept again as usual, an hour where
    it is not.

    As usual = by the share that was kept in the median step before, or by `KEPT_AGAIN` where that was more.
    A step in which nobody was judged counts as kept. None without interactive-fast requests before.
    """
    tier = record.tiers.get(_INTERACTIVE)
    if tier is None:
        return None
    per_hour = _HOUR // record.step_seconds
    kept = [m / j if j > 0 else 1.0 for j, m in zip(tier.judged, tier.met, strict=True)]
    first = first_hour * per_hour
    before = [k for k, j in zip(kept[:first], tier.judged[:first], strict=True) if j > 0]
    hours = [kept[at : at + per_hour] for at in range(first, len(kept), per_hour)]
    whole = [hour for hour in hours if len(hour) == per_hour]
    if not whole or not before:
        return None
    usual = min(KEPT_AGAIN, median(before))
    return fmean(_first_kept(hour, usual) for hour in whole) * record.step_seconds / 60


def _first_kept(hour: Sequence[float], usual: float) -> int:
    """Steps until the first that keeps as usual; all of them when none does."""
    return next((place for place, kept in enumerate(hour) if kept >= usual), len(hour))


def curve_of(scenario: str, policy: str, record: Record) -> Curve:
    """All pools together in GPUs, at most MOST_STEPS steps."""
    steps = max((len(pool.busy) for pool in record.pools.values()), default=0)
    every = max(1, -(-steps // MOST_STEPS))

    def total(column: str) -> tuple[float, ...]:
        rows = [(pool.gpus, getattr(pool, column)) for pool in record.pools.values()]
        sums = [sum(gpus * row[step] for gpus, row in rows) for step in range(steps)]
        return tuple(fmean(sums[at : at + every]) for at in range(0, steps, every))

    return Curve(
        scenario=scenario,
        policy=policy,
        step_seconds=record.step_seconds * every,
        busy=total("busy"),
        ready=total("ready"),
        overhead=total("overhead"),
    )


def outcome_words(figures: Mapping[str, float | None]) -> str:
    """A run in a few words, for the line that says it is finished."""
    kept, billed = figures.get("slo_attainment_judged"), figures.get("gpu_hours_billed")
    if kept is None or billed is None:
        bound = figures.get(LP_GPU_HOURS)
        return "no fleet suffices" if bound is None else f"{bound:,.0f} GPU-hours at least"
    return f"{kept:.2%} within SLO, {billed:,.0f} GPU-hours"
