"""Modes: settings, what follows from them, and requests to change one."""

from __future__ import annotations

from datetime import datetime

from heliostat.catalogue import FleetCatalogue
from heliostat.model.governance import Modes, ModeSetting
from heliostat.model.names import EVERYWHERE, RegionName
from heliostat.v1 import plan_pb2
from services.translation.enums import MODE
from services.translation.fields import (
    instant_from_wire,
    instant_to_wire,
    required,
    required_text,
    revision_from_wire,
)
from services.translation.names import known_region


def setting_to_wire(setting: ModeSetting) -> plan_pb2.ModeSetting:
    """The setting."""
    return plan_pb2.ModeSetting(
        region=setting.region,
        mode=MODE.to_wire(setting.mode),
        author=setting.author,
        reason=setting.reason,
        at=instant_to_wire(setting.at),
        etag=str(setting.revision),
    )


def setting_from_wire(path: str, setting: plan_pb2.ModeSetting) -> ModeSetting:
    """The setting. Raises InvalidInput."""
    return ModeSetting(
        region=RegionName(required_text(f"{path}.region", setting.region)),
        mode=MODE.from_wire(f"{path}.mode", setting.mode),
        author=setting.author,
        reason=setting.reason,
        at=instant_from_wire(required(path, setting, "at"), setting.at),
        revision=revision_from_wire(f"{path}.etag", setting.etag),
    )


def modes_to_wire(modes: Modes, catalogue: FleetCatalogue) -> plan_pb2.GetModeResponse:
    """The settings, and the mode in which each region is."""
    return plan_pb2.GetModeResponse(
        settings=[setting_to_wire(setting) for setting in modes.settings],
        effective=[
            plan_pb2.EffectiveMode(region=region.name, mode=MODE.to_wire(modes.of(region.name)))
            for region in catalogue.regions
        ],
    )


def modes_from_wire(response: plan_pb2.GetModeResponse) -> Modes:
    """The settings. Raises InvalidInput."""
    return Modes(
        tuple(
            setting_from_wire(f"settings[{i}]", setting)
            for i, setting in enumerate(response.settings)
        )
    )


def wanted_setting(
    request: plan_pb2.SetModeRequest,
    catalogue: FleetCatalogue,
    *,
    author: str,
    now: datetime,
) -> ModeSetting:
    """The setting that is asked for, as the first of its region. Raises InvalidInput, UnknownRegion."""
    region = EVERYWHERE
    if request.region != EVERYWHERE:
        region = known_region("region", required_text("region", request.region), catalogue)
    return ModeSetting(
        region=region,
        mode=MODE.from_wire("mode", request.mode),
        author=author,
        reason=required_text("reason", request.reason),
        at=now,
    )
