"""The one place that knows which concrete classes a control plane is made of."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from forecasting.accuracy import AccuracyScorer
from forecasting.families import FAMILIES
from forecasting.fanout import FanOutForecaster
from forecasting.settings import ForecasterSettings
from heliostat.catalogue import FleetCatalogue
from heliostat.clock import SystemClock, cpu_seconds
from heliostat.errors import InvalidSettings
from heliostat.gc_tuning import collect_seldom
from heliostat.loops.control import ControlSettings, Deciders
from heliostat.model.forecast import QUANTILE_LEVELS
from heliostat.ports.clock import Clock
from heliostat.ports.deciding import ServedPerReplica
from heliostat.ports.forecasts import Forecaster
from heliostat.ports.stores import Stores
from migrations.running import is_new, upgrade
from planning.explain import PerturbingExplainer
from planning.guard import CatalogueGuard
from planning.house_policies import HousePolicy, house_policy
from planning.planner import HeliostatPlanner
from planning.strategies import Immediate
from scheduling.placement.margins import HOUSE
from scheduling.sizing.served import ServedByPlacement
from services.control_plane.parts import Parts
from services.control_plane.plane import ControlPlane
from services.control_plane.settings import ENV_PREFIX, ControlPlaneSettings
from services.dashboard.live import LivePage
from services.leaving import ending_signals, leave
from services.log_events import log_json, say
from services.wall_clock import wall_clock
from storage.catalogue_file import read_catalogue
from storage.memory import memory_stores
from storage.notify import ChangeFeed
from storage.opening import open_stores

_log = logging.getLogger(__name__)

MEMORY = "memory"
_SQLITE_FILE = "sqlite:///"


def parts_of(settings: ControlPlaneSettings, *, clock: Clock | None = None) -> Parts:
    """What the settings ask for, opened and checked.

    `clock` steps domain time; leases run on real time whatever it says. An SQLite file that does
    not exist yet, or holds nothing, is made; any other database must stand at this release's
    revision. Raises InvalidCatalogue, MigrationBehind, StorageUnavailable, InvalidSettings.
    """
    catalogue = read_catalogue(settings.catalogue)
    policy = house_policy(settings.policy, settings.headroom)
    forecasting = forecaster_settings(settings, catalogue, policy.levels)
    planning = replace(policy.settings, days_apart=forecasting.days_apart)
    policy = replace(policy, settings=planning)
    if settings.database == MEMORY:
        feed, opened = ChangeFeed(), None
        stores = memory_stores(SystemClock(), feed)
    else:
        _make_file(settings.database)
        opened = open_stores(settings.database)
        stores, feed = opened.stores, opened.feed
    clock = clock or wall_clock()
    forecaster = FanOutForecaster(forecasting, lanes=settings.workers or os.cpu_count() or 1)
    say(_log, "policy_chosen", policy=policy.name, headroom=settings.headroom)

    def close() -> None:
        forecaster.close()
        if opened is not None:
            opened.close()

    return Parts(
        stores=stores,
        feed=feed,
        catalogue=catalogue,
        deciders=deciders_of(policy, forecaster, served_by(settings)),
        clock=clock,
        loop_settings=ControlSettings(keep=settings.keep.retention()),
        page=_page(settings, stores, catalogue, clock),
        warm_up=forecaster.warm_up,
        close=close,
        give_up=forecaster.give_up,
    )


def served_by(settings: ControlPlaneSettings) -> ServedPerReplica | None:
    """Who says what a replica serves, where it is not the planner itself."""
    if settings.served_by == "planner":
        return None
    return ServedByPlacement(margins=HOUSE)


def deciders_of(
    policy: HousePolicy, forecaster: Forecaster, served: ServedPerReplica | None = None
) -> Deciders:
    """Planner, explainer and router of a policy beside a forecaster; `served`: who knows better than the
    planner what a replica serves."""
    return Deciders(
        forecaster=forecaster,
        scorer=AccuracyScorer(),
        planner=HeliostatPlanner(policy.settings, stopwatch=cpu_seconds, served=served),
        explainer=PerturbingExplainer(policy.settings, stopwatch=cpu_seconds, served=served),
        strategy=Immediate(),
        guard=CatalogueGuard(),
        router=policy.router(),
    )


def control_plane(settings: ControlPlaneSettings) -> ControlPlane:
    """A control plane that is wired and not started. Raises what `parts_of` raises."""
    return ControlPlane(parts_of(settings), settings)


def serve(settings: ControlPlaneSettings) -> None:
    """Run a control plane until SIGTERM or Ctrl-C, with JSON logs on standard error."""
    log_json(settings.log_level)
    file = file_to_make(settings)
    if file is not None:
        say(_log, "database_file_missing", level=logging.WARNING, file=str(file), made="empty")
    run(lambda: control_plane(settings))


def run(make: Callable[[], ControlPlane]) -> None:
    """Run what `make` wires until SIGTERM or Ctrl-C; ends when the grace is over, whatever still works."""
    if asyncio.run(_run(make)).left_working:
        leave()


async def _run(make: Callable[[], ControlPlane]) -> ControlPlane:
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ending_signals():
        loop.add_signal_handler(number, asked_to_stop.set)
    plane = await asyncio.to_thread(make)
    await plane.start()
    collect_seldom()
    try:
        await asked_to_stop.wait()
        say(_log, "shutdown_asked_for")
    finally:
        await plane.stop()
    return plane


def forecaster_settings(
    settings: ControlPlaneSettings, catalogue: FleetCatalogue, levels: tuple[float, ...]
) -> ForecasterSettings:
    """What forecasts are made with; the planner's quantile `levels` are issued beside the usual ones.

    Raises InvalidSettings on holidays of a region that the catalogue does not have.
    """
    names = [region.name for region in catalogue.regions]
    for name in settings.region_holidays:
        if name not in names:
            raise InvalidSettings(
                f"region_holidays.{name} ({ENV_PREFIX}REGION_HOLIDAYS)",
                "the catalogue has no such region",
                remedy=f"regions are {', '.join(names)}",
            )
    return ForecasterSettings(
        family=FAMILIES[settings.forecast_family],
        zones={region.name: region.time_zone for region in catalogue.regions},
        holidays=settings.holidays,
        region_holidays=settings.region_holidays,
        levels=tuple(sorted({*QUANTILE_LEVELS, *levels})),
    )


def _page(
    settings: ControlPlaneSettings, stores: Stores, catalogue: FleetCatalogue, clock: Clock
) -> LivePage | None:
    if not settings.page_listen:
        return None
    return LivePage(stores=stores, catalogue=catalogue, clock=clock, listen=settings.page_listen)


def file_to_make(settings: ControlPlaneSettings) -> Path | None:
    """An SQLite file that the settings name and that does not exist: `parts_of` will make it, be it a new
    database or a mistyped path. None for the default, which needs no preparation."""
    if "database" not in settings.model_fields_set or not settings.database.startswith(
        _SQLITE_FILE
    ):
        return None
    file = Path(settings.database.removeprefix(_SQLITE_FILE).partition("?")[0]).absolute()
    return file if file.parent.is_dir() and not file.exists() else None


def _make_file(url: str) -> None:
    """The embedded default needs no preparation: a new or empty file gets its tables."""
    if url.startswith(_SQLITE_FILE) and is_new(url):
        upgrade(url)
        say(_log, "database_made", url=url)
