"""The demo's closing table: counts, and Heliostat beside the reactive policy."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table

from services.dashboard.picture import DispatchDay
from services.demo.figures import Both, Figures


def summary(figures: Figures) -> Group:
    """Two small tables, at most 78 columns wide."""
    commands = figures.commands
    facts = Table(
        box=None, show_header=False, pad_edge=False, title="The day", title_justify="left"
    )
    facts.add_column(no_wrap=True)
    facts.add_column(justify="right")
    for name, value in (
        ("usage windows stored", figures.usage_windows),
        ("forecasts issued", figures.forecasts),
        ("plans made", figures.plans),
        ("orders applied", commands["applied"]),
        ("orders refused", commands["refused"]),
        ("orders expired", commands["expired"]),
        ("orders replaced or cancelled", commands["cancelled"]),
        ("orders open at the end", commands["pending"] + commands["leased"]),
        ("routing tables published", figures.routing.versions),
        ("accepted / rejected", f"{figures.routing.acks} / {figures.routing.nacks}"),
        ("sampled requests dispatched", figures.dispatch.dispatched),
        ("waited / elsewhere / shed", _outcomes(figures.dispatch)),
        ("TTFT expected / simulated", _waits(figures.dispatch)),
    ):
        facts.add_row(name, f"{value:,}" if isinstance(value, int) else value)

    rivals = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    rivals.title = "Heliostat beside the tuned reactive policy"
    rivals.add_column("same demand, same start")
    for name in ("Heliostat", "reactive", "difference"):
        rivals.add_column(name, justify="right")
    for label, pair in (
        ("GPU-hours billed", figures.gpu_hours_billed),
        ("dollars", figures.cost_dollars),
    ):
        rivals.add_row(label, _whole(pair.heliostat), _whole(pair.reactive), _relative(pair))
    kept = figures.slo_attainment
    rivals.add_row(
        "requests within SLO", _percent(kept.heliostat), _percent(kept.reactive), _points(kept)
    )
    return Group(
        "", facts, "", rivals, f"{figures.hours} h simulated in {figures.wall_seconds:.0f} s."
    )


def _outcomes(day: DispatchDay) -> str:
    return f"{day.queued:,} / {day.other_region:,} / {day.shed:,}"


def _waits(day: DispatchDay) -> str:
    seconds = (day.expected_ttft_seconds, day.simulated_ttft_seconds)
    return " / ".join("-" if value is None else f"{value:.2f} s" for value in seconds)


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _relative(pair: Both) -> str:
    if pair.heliostat is None or not pair.reactive:
        return "-"
    return f"{pair.heliostat / pair.reactive - 1:+.1%}"


def _points(pair: Both) -> str:
    if pair.heliostat is None or pair.reactive is None:
        return "-"
    return f"{100 * (pair.heliostat - pair.reactive):+.2f} points"
