"""PlanService: shows, proposes, approves and explains plans; says and sets modes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from heliostat.errors import InvalidInput, NoPlanYet, StaleEtag
from heliostat.model.governance import ModeSetting
from heliostat.model.names import RegionName
from heliostat.model.plan import CapacityPlan
from heliostat.v1 import plan_pb2, plan_pb2_grpc
from services.control_plane.desk import Desk
from services.identity import caller
from services.translation.commands import command_to_wire
from services.translation.fields import required, span_from_wire
from services.translation.modes import modes_to_wire, setting_to_wire, wanted_setting
from services.translation.names import known_pool
from services.translation.pages import page_of
from services.translation.plans import plan_to_wire, summary_to_wire
from services.translation.questions import explanation_to_wire, what_if_from_wire


class PlanServicer(plan_pb2_grpc.PlanServiceServicer):
    """Serves the conversation."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def GetPlan(
        self, request: plan_pb2.GetPlanRequest, context: Any
    ) -> plan_pb2.GetPlanResponse:
        if request.version < 0:
            raise InvalidInput("version", f"{request.version} is negative")
        plan = await self._desk.threads.read(lambda: self._plan(request.version))
        return plan_pb2.GetPlanResponse(plan=plan_to_wire(plan))

    async def ListPlans(
        self, request: plan_pb2.ListPlansRequest, context: Any
    ) -> plan_pb2.ListPlansResponse:
        span = span_from_wire(required("", request, "span"), request.span)
        page = page_of(request, default=50, limit=500)
        after_version = page.place(int) or 0
        plans = await self._desk.threads.read(
            lambda: self._desk.stores.plans.plans(
                span, after_version=after_version, limit=page.size + 1
            )
        )
        shown, token = page.cut(plans, lambda plan: str(plan.version))
        return plan_pb2.ListPlansResponse(
            plans=[summary_to_wire(plan) for plan in shown], next_page_token=token
        )

    async def ProposePlan(
        self, request: plan_pb2.ProposePlanRequest, context: Any
    ) -> plan_pb2.ProposePlanResponse:
        what_if = what_if_from_wire("what_if", request.what_if, self._desk.catalogue)
        now = self._desk.clock.now()
        plan = await self._desk.threads.think(lambda: self._desk.loop.propose(now, what_if))
        return plan_pb2.ProposePlanResponse(plan=plan_to_wire(plan))

    async def ApprovePlan(
        self, request: plan_pb2.ApprovePlanRequest, context: Any
    ) -> plan_pb2.ApprovePlanResponse:
        now, author, epoch = self._desk.clock.now(), str(caller()), self._desk.leader.epoch()
        committed = await self._desk.threads.write(
            lambda: self._desk.loop.approve(request.version, now, author=author, epoch=epoch)
        )
        return plan_pb2.ApprovePlanResponse(
            commands=[command_to_wire(command) for command in committed.commands]
        )

    async def ExplainPlan(
        self, request: plan_pb2.ExplainPlanRequest, context: Any
    ) -> plan_pb2.ExplainPlanResponse:
        pool = known_pool(required("", request, "pool"), request.pool, self._desk.catalogue)
        now = self._desk.clock.now()
        explanation = await self._desk.threads.think(lambda: self._desk.loop.explain(now, pool))
        return explanation_to_wire(explanation)

    async def GetMode(
        self, request: plan_pb2.GetModeRequest, context: Any
    ) -> plan_pb2.GetModeResponse:
        modes = await self._desk.threads.read(self._desk.stores.modes.modes)
        return modes_to_wire(modes, self._desk.catalogue)

    async def SetMode(
        self, request: plan_pb2.SetModeRequest, context: Any
    ) -> plan_pb2.SetModeResponse:
        setting = wanted_setting(
            request,
            self._desk.catalogue,
            author=str(caller()),
            now=self._desk.clock.now(),
        )
        epoch = self._desk.leader.epoch()
        stored = await self._desk.threads.write(
            lambda: self._set(setting, request.etag, epoch, dry=request.validate_only)
        )
        return plan_pb2.SetModeResponse(setting=setting_to_wire(stored))

    def _plan(self, version: int) -> CapacityPlan:
        if version:
            return self._desk.stores.plans.plan(version)
        plan = self._desk.stores.plans.latest_plan()
        if plan is None:
            raise NoPlanYet("no plan exists yet", remedy="wait for the first planning tick")
        return plan

    def _set(self, setting: ModeSetting, etag: str, epoch: int, *, dry: bool) -> ModeSetting:
        """In the one writing thread, so that nobody comes between the look and the change."""
        before = self._setting(setting.region)
        if etag and etag != str(before.revision if before else 0):
            raise StaleEtag("the mode changed in the meantime", remedy="read it again")
        after = replace(setting, revision=before.revision + 1 if before else 1)
        return after if dry else self._desk.manual.set_mode(after, epoch=epoch)

    def _setting(self, region: RegionName) -> ModeSetting | None:
        settings = self._desk.stores.modes.modes().settings
        return next((setting for setting in settings if setting.region == region), None)
