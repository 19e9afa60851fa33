"""AuditService: shows who did what."""

from __future__ import annotations

from typing import Any

from heliostat.v1 import audit_pb2, audit_pb2_grpc
from services.control_plane.desk import Desk
from services.translation.audit import (
    audit_query_from_wire,
    entry_to_wire,
    place_from_text,
    place_to_text,
)
from services.translation.pages import page_of


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Serves the conversation."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListAudit(
        self, request: audit_pb2.ListAuditRequest, context: Any
    ) -> audit_pb2.ListAuditResponse:
        query = audit_query_from_wire(request)
        page = page_of(request, default=100, limit=1000)
        after = page.place(place_from_text)
        found = await self._desk.threads.read(
            lambda: self._desk.stores.audit.entries(query, after=after, limit=page.size + 1)
        )
        shown, token = page.cut(found, lambda entry: place_to_text(entry.place))
        return audit_pb2.ListAuditResponse(
            records=[entry_to_wire(entry) for entry in shown], next_page_token=token
        )
