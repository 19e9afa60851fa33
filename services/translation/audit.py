"""The audit log on the wire: what is asked for, and its records."""

from __future__ import annotations

from heliostat.model.governance import AuditEntry, AuditPlace, AuditQuery, AuditRecord
from heliostat.model.instants import from_epoch, to_epoch
from heliostat.v1 import audit_pb2
from services.translation.fields import (
    instant_from_wire,
    instant_to_wire,
    required,
    required_text,
    span_from_wire,
    span_to_wire,
)


def entry_to_wire(entry: AuditEntry) -> audit_pb2.AuditRecord:
    """The record with its number."""
    record = entry.record
    return audit_pb2.AuditRecord(
        number=entry.number,
        at=instant_to_wire(record.at),
        author=record.author,
        action=record.action,
        subject=record.subject,
        detail=record.detail,
        outcome=record.outcome,
    )


def entry_from_wire(path: str, message: audit_pb2.AuditRecord) -> AuditEntry:
    """The record with its number. Raises InvalidInput."""
    return AuditEntry(
        number=message.number,
        record=AuditRecord(
            at=instant_from_wire(required(path, message, "at"), message.at),
            author=message.author,
            action=message.action,
            subject=message.subject,
            detail=message.detail,
            outcome=message.outcome,
        ),
    )


def audit_query_to_wire(query: AuditQuery) -> audit_pb2.ListAuditRequest:
    """The request for the first page."""
    return audit_pb2.ListAuditRequest(
        span=span_to_wire(query.span), authors=sorted(query.authors), actions=sorted(query.actions)
    )


def audit_query_from_wire(request: audit_pb2.ListAuditRequest) -> AuditQuery:
    """What is asked for. Raises InvalidInput."""
    return AuditQuery(
        span=span_from_wire(required("", request, "span"), request.span),
        authors=frozenset(
            required_text(f"authors[{i}]", author) for i, author in enumerate(request.authors)
        ),
        actions=frozenset(
            required_text(f"actions[{i}]", action) for i, action in enumerate(request.actions)
        ),
    )


def place_to_text(place: AuditPlace) -> str:
    """The place as a page token carries it."""
    return f"{to_epoch(place[0])} {place[1]}"


def place_from_text(text: str) -> AuditPlace:
    """The place behind a page token. Raises ValueError, OverflowError."""
    seconds, number = map(int, text.split())
    return from_epoch(seconds), number
