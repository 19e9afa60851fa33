"""The process in which the reactive policy lives the day: it tells a mark every quarter hour."""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.connection import Connection

from heliostat.catalogue import FleetCatalogue
from heliostat.model.demand import BUCKET
from services.demo.bootstrap import reactive_world
from services.demo.marks import mark_of
from services.demo.process import collect_seldom, leave_ctrl_c_to_others
from services.demo.settings import DemoSettings
from simulation.arrivals import ArrivalRates


def live(
    voice: Connection, settings: DemoSettings, catalogue: FleetCatalogue, arrivals: ArrivalRates
) -> None:
    """The whole day, as marks, or what broke it in words; ends early when nobody listens any more."""
    leave_ctrl_c_to_others()
    collect_seldom()
    with suppress(BrokenPipeError):
        try:
            world = reactive_world(settings=settings, catalogue=catalogue, arrivals=arrivals)
            voice.send(mark_of(world.estate, world.accountant, world.now))
            while world.now < settings.day_end:
                world.run_until(world.now + BUCKET)
                voice.send(mark_of(world.estate, world.accountant, world.now))
        except Exception as error:
            # Whatever it was, our starter must hear it: the traceback stays on this side.
            voice.send(f"{type(error).__name__}: {error}")
            raise
