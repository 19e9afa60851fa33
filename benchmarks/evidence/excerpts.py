"""What of a run goes into a ledger: the figures that pages speak of, and curves thin enough to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from benchmarks.evidence.ledger import Curve
from heliostat.model.names import Tier
from simulation.experiments.ceilings import LP_DOLLARS, LP_GPU_HOURS, LP_GPU_HOURS_AT_LEAST_COST
from simulation.experiments.result import IDLE, OVERHEAD, Record, RunResult

ON_A100 = "gpu_hours_billed_on_a100"
"""Billed on VM types whose name says A100."""
RECOVERY = "recovery_minutes"
"""Mean minutes after an hour's first one until interactive-fast requests keep their promise again."""
KEPT_AGAIN = 0.99
_A100 = "gpu_hours_billed_by_vm_type.a100"
_HOUR = 3600
_P90 = ("ttft/interactive-fast", "ttft/interactive-normal")
_INTERACTIVE = str(Tier.INTERACTIVE_FAST)
FIGURES = (
    "gpu_hours_billed",
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
    """The run's figures by name; `bursts_from` is the hour of the run at which bursts begin."""
    found = {name: run.figures[name] for name in FIGURES if name in run.figures}
    on_a100 = [run.figures[name] for name in run.figures if name.startswith(_A100)]
    if on_a100 and None not in on_a100:
        found[ON_A100] = sum(hours for hours in on_a100 if hours is not None)
    for name in _P90:
        if name in run.latencies:
            found[f"ttft_seconds.{name.partition('/')[2]}.p90"] = run.sketch(name).quantile(0.9)
    if bursts_from is not None and run.record is not None:
        found[RECOVERY] = recovery_minutes(run.record, bursts_from)
    return found


def recovery_minutes(record: Record, first_hour: int) -> float | None:
    """Mean over the hours from `first_hour` on: when the promise is kept again for good within the hour.

    A step that nobody was judged in counts as kept. None without interactive-fast requests.
    """
    tier = record.tiers.get(_INTERACTIVE)
    if tier is None:
        return None
    per_hour = _HOUR // record.step_seconds
    kept = [j <= 0 or m >= KEPT_AGAIN * j for j, m in zip(tier.judged, tier.met, strict=True)]
    hours = [kept[at : at + per_hour] for at in range(first_hour * per_hour, len(kept), per_hour)]
    whole = [hour for hour in hours if len(hour) == per_hour]
    if not whole:
        return None
    return fmean(_last_miss(hour) for hour in whole) * record.step_seconds / 60


def _last_miss(hour: Sequence[bool]) -> int:
    """Steps until the last one that missed has ended; 0 when none missed."""
    return max((place + 1 for place, kept in enumerate(hour) if not kept), default=0)


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
