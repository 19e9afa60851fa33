"""After the day: collects the last messages, waits for the baseline, counts everything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from heliostat.clock import monotonic_seconds
from heliostat.model.instants import Span
from services.demo import figures
from services.demo.bootstrap import Cast
from services.demo.coordinator import Coordinator
from services.demo.figures import Both, Figures, Routing
from services.demo.gateways import Gateways
from services.demo.marks import Mark
from services.demo.rival import Rival
from services.demo.settings import DemoSettings
from simulation.workload.fit import FittedDemand

_LAST_WORDS_SECONDS = 5.0
_INSTANT = timedelta(seconds=1)


async def count(
    settings: DemoSettings,
    cast: Cast,
    coordinator: Coordinator,
    *,
    gateways: Gateways,
    rival: Rival,
    marks: Sequence[Mark],
    demand: FittedDemand,
    began: float,
) -> Figures:
    """The figures of a day that ran to its end; `began` in monotonic seconds."""
    await _hear_last_words(cast, coordinator)
    theirs = await asyncio.to_thread(rival.wait)
    ours, their = figures.latest_shared(marks, theirs)
    stores, day = cast.plane.stores, settings.day
    return await asyncio.to_thread(
        lambda: Figures(
            usage_windows=figures.usage_windows(stores, Span(demand.history.start, day.end)),
            forecasts=cast.forecaster.made,
            plans=figures.plans_made(stores, Span(day.start, day.end + _INSTANT)),
            commands=figures.commands_by_state(stores),
            routing=Routing(
                versions=coordinator.published, acks=cast.routing.acks, nacks=cast.routing.nacks
            ),
            dispatch=gateways.day(),
            gpu_hours_billed=Both(heliostat=ours.gpu_hours, reactive=their.gpu_hours),
            slo_attainment=Both(
                heliostat=figures.attainment(ours), reactive=figures.attainment(their)
            ),
            cost_dollars=Both(heliostat=ours.dollars, reactive=their.dollars),
            input=demand.said,
            seed=settings.seed,
            hours=settings.hours,
            steps=coordinator.steps,
            wall_seconds=round(monotonic_seconds() - began, 2),
        )
    )


async def _hear_last_words(cast: Cast, coordinator: Coordinator) -> None:
    """Words on the last tables may still be on their way."""
    until = monotonic_seconds() + _LAST_WORDS_SECONDS
    while monotonic_seconds() < until:
        if cast.routing.acks + cast.routing.nacks >= coordinator.published:
            return
        await asyncio.sleep(0.02)
