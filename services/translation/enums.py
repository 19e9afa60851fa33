"""Enumerations: the member `interactive-fast` of `Tier` is `TIER_INTERACTIVE_FAST` on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from heliostat.errors import InvalidInput
from heliostat.model.command import CommandState, RefusalKind
from heliostat.model.dispatch import (
    CompletionOutcome,
    PlacementBasis,
    ShedReason,
    WithdrawalReason,
)
from heliostat.model.fleet import Signal, StartKind
from heliostat.model.governance import Mode
from heliostat.model.names import Tier, TokenKind
from heliostat.model.plan import PlanOrigin, PlanStatus
from heliostat.v1 import common_pb2, dispatch_pb2, fleet_pb2, plan_pb2

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper

E = TypeVar("E", bound=StrEnum)
V = TypeVar("V", bound=int)


class EnumCodec(Generic[E, V]):
    """One enumeration in both directions; made once, fails at import when the two sides differ."""

    def __init__(self, members: type[E], wire: _EnumTypeWrapper[V], prefix: str) -> None:
        self._prefix = prefix
        self._numbers: dict[E, V] = {
            member: wire.Value(f"{prefix}_{member.name}") for member in members
        }
        self._members: dict[int, E] = {number: m for m, number in self._numbers.items()}
        self.unspecified: V = wire.Value(f"{prefix}_UNSPECIFIED")

    def to_wire(self, member: E) -> V:
        """The member's number."""
        return self._numbers[member]

    def from_wire(self, path: str, number: int) -> E:
        """The member behind a number. Raises InvalidInput when it is not set or not known."""
        member = self._members.get(number)
        if member is None:
            said = "is not set" if number == self.unspecified else f"{number} is not known"
            names = ", ".join(f"{self._prefix}_{m.name}" for m in self._numbers)
            raise InvalidInput(path, said, remedy=f"send one of {names}")
        return member


TIER = EnumCodec(Tier, common_pb2.Tier, "TIER")
TOKEN_KIND = EnumCodec(TokenKind, common_pb2.TokenKind, "TOKEN_KIND")
SIGNAL = EnumCodec(Signal, common_pb2.Signal, "SIGNAL")
MODE = EnumCodec(Mode, common_pb2.Mode, "MODE")
COMMAND_STATE = EnumCodec(CommandState, fleet_pb2.CommandState, "COMMAND_STATE")
REFUSAL_KIND = EnumCodec(RefusalKind, fleet_pb2.RefusalKind, "REFUSAL_KIND")
START_KIND = EnumCodec(StartKind, fleet_pb2.StartKind, "START_KIND")
PLAN_STATUS = EnumCodec(PlanStatus, plan_pb2.PlanStatus, "PLAN_STATUS")
PLAN_ORIGIN = EnumCodec(PlanOrigin, plan_pb2.PlanOrigin, "PLAN_ORIGIN")
PLACEMENT_BASIS = EnumCodec(PlacementBasis, dispatch_pb2.PlacementBasis, "PLACEMENT_BASIS")
SHED_REASON = EnumCodec(ShedReason, dispatch_pb2.ShedReason, "SHED_REASON")
WITHDRAWAL_REASON = EnumCodec(WithdrawalReason, dispatch_pb2.WithdrawalReason, "WITHDRAWAL_REASON")
COMPLETION_OUTCOME = EnumCodec(
    CompletionOutcome, dispatch_pb2.CompletionOutcome, "COMPLETION_OUTCOME"
)
