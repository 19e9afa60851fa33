"""Who did what is asked over the wire, page by page, by those who may."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from heliostat.errors import Forbidden, InvalidInput
from heliostat.model.governance import AuditQuery, AuditRecord, Mode
from heliostat.model.instants import Span
from heliostat.v1 import audit_pb2, fleet_pb2
from services.control_plane.ticks import Tick
from services.identity import Identity, Role
from services.translation.audit import audit_query_to_wire, entry_from_wire
from tests.builders import MINUTE, NOON
from tests.support.certificates import Authority
from tests.support.planes import World, a_world, error_in

ALL_DAY = AuditQuery(span=Span(NOON, NOON + timedelta(days=1)))


def asked(query: AuditQuery = ALL_DAY, **paging: Any) -> audit_pb2.ListAuditRequest:
    request = audit_query_to_wire(query)
    for name, value in paging.items():
        setattr(request, name, value)
    return request


def records(answer: audit_pb2.ListAuditResponse) -> list[AuditRecord]:
    return [entry_from_wire("record", message).record for message in answer.records]


async def acts(world: World) -> None:
    """A mode that is set, a plan, and an order that is refused."""
    await world.client.set_mode(Mode.ACTIVE)
    world.clock.advance_to(NOON + MINUTE)
    await world.tick(Tick.REPLAN)
    await error_in(world.client.fleet.ScalePool(fleet_pb2.ScalePoolRequest()))


async def test_what_was_done_and_what_was_refused_is_listed_in_order() -> None:
    async with a_world() as world:
        await acts(world)
        found = records(await world.client.audit.ListAudit(asked()))
        assert [(r.author, r.action) for r in found] == [
            ("admin:local", "set-mode"),
            ("planner", "plan"),
            ("admin:local", "scale-pool"),
        ]
        assert [r.outcome.split(":")[0] for r in found] == ["done", "done", "refused"]


async def test_filters_and_the_half_open_span_hold() -> None:
    async with a_world() as world:
        await acts(world)
        by_planner = AuditQuery(span=ALL_DAY.span, authors=frozenset({"planner"}))
        first_minute = AuditQuery(
            span=Span(NOON, NOON + MINUTE), actions=frozenset({"set-mode", "plan"})
        )
        for query, actions in ((by_planner, ["plan"]), (first_minute, ["set-mode"])):
            found = records(await world.client.audit.ListAudit(asked(query)))
            assert [r.action for r in found] == actions


async def test_pages_follow_each_other_and_belong_to_their_filters() -> None:
    async with a_world() as world:
        await acts(world)
        whole = records(await world.client.audit.ListAudit(asked()))
        paged: list[AuditRecord] = []
        token = ""
        for _ in whole:
            answer = await world.client.audit.ListAudit(asked(page_size=1, page_token=token))
            paged += records(answer)
            token = answer.next_page_token
        assert (paged, token) == (whole, "")
        first = await world.client.audit.ListAudit(asked(page_size=1))
        other = AuditQuery(span=ALL_DAY.span, authors=frozenset({"planner"}))
        error = await error_in(
            world.client.audit.ListAudit(asked(other, page_token=first.next_page_token))
        )
        assert isinstance(error, InvalidInput)
        assert error.field == "page_token"


@pytest.mark.parametrize("role", [Role.AUTOMATION, Role.OPERATOR])
async def test_only_operators_and_admins_read_the_log(tmp_path: Path, role: Role) -> None:
    authority = Authority(tmp_path)
    tls = authority.server()
    credentials = authority.client(Identity(role=role, name="x"))
    async with a_world(tls=tls, credentials=credentials) as world:
        call = world.client.audit.ListAudit(asked())
        if role is Role.OPERATOR:
            assert not (await call).records
        else:
            assert isinstance(await error_in(call), Forbidden)
