"""Errors on the wire: each family has one status code and its google.rpc details, in both directions.

The only place that knows how our errors look outside. Servers call `status_of`, clients `error_of`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2

from heliostat import errors
from heliostat.errors import HeliostatError
from heliostat.v1 import common_pb2
from services.translation.texts import cut

DOMAIN = "heliostat"
INTERNAL = "INTERNAL"
MOST_BYTES = 800
"""Of each text: a status travels in headers, of which gRPC takes 8 KB and drops the whole answer beyond."""


_SILENCE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


@dataclass(frozen=True, slots=True)
class Family:
    """How one family of errors looks: its code, and after how many seconds a retry makes sense."""

    error: type[HeliostatError]
    code: int
    retry_seconds: int | None = None


FAMILIES = (
    Family(errors.InvalidInput, code_pb2.INVALID_ARGUMENT),
    Family(errors.NotFound, code_pb2.NOT_FOUND),
    Family(errors.Conflict, code_pb2.ABORTED),
    Family(errors.AlreadyExists, code_pb2.ALREADY_EXISTS),
    Family(errors.Precondition, code_pb2.FAILED_PRECONDITION),
    Family(errors.Forbidden, code_pb2.PERMISSION_DENIED),
    Family(errors.Unauthenticated, code_pb2.UNAUTHENTICATED),
    Family(errors.Exhausted, code_pb2.RESOURCE_EXHAUSTED, retry_seconds=30),
    Family(errors.Unavailable, code_pb2.UNAVAILABLE, retry_seconds=1),
    Family(errors.Unsupported, code_pb2.UNIMPLEMENTED),
    Family(errors.DataLoss, code_pb2.DATA_LOSS),
)
"""Every family of `heliostat.errors`, once."""


def family_of(error: HeliostatError) -> Family:
    """The error's family."""
    for family in FAMILIES:
        if isinstance(error, family.error):
            return family
    return Family(HeliostatError, code_pb2.INTERNAL)


def reason_of(error: HeliostatError) -> str:
    """The error's stable name: `UnknownVmType` is UNKNOWN_VM_TYPE."""
    return _name_of(type(error))


def status_of(error: HeliostatError) -> status_pb2.Status:
    """The status with its details: ErrorInfo always, the others where the family has them."""
    family = family_of(error)
    info = error_details_pb2.ErrorInfo(
        reason=reason_of(error), domain=DOMAIN, metadata=_metadata(error)
    )
    return status_pb2.Status(
        code=family.code,
        message=_said(error),
        details=[_packed(detail) for detail in (info, *_details(error, family))],
    )


def unexpected_status(error: BaseException) -> status_pb2.Status:
    """The status of a fault of ours: says its kind and nothing of its insides."""
    info = error_details_pb2.ErrorInfo(reason=INTERNAL, domain=DOMAIN)
    message = f"internal error ({type(error).__name__}); see the control plane's log"
    return status_pb2.Status(code=code_pb2.INTERNAL, message=message, details=[_packed(info)])


def problem_of(error: HeliostatError) -> common_pb2.Problem:
    """The same words for a stream that goes on."""
    return common_pb2.Problem(
        code=family_of(error).code,
        reason=reason_of(error),
        field=str(getattr(error, "field", "")),
        message=str(error.args[0]),
        remedy=error.remedy,
    )


def error_of_problem(problem: common_pb2.Problem) -> HeliostatError:
    """The error behind a refusal inside a stream."""
    metadata = {"field": problem.field, "remedy": problem.remedy}
    return _rebuilt(problem.reason, problem.code, problem.message, metadata)


def error_of(call: grpc.RpcError) -> HeliostatError:
    """The error behind a failed call, as the server raised it; Unavailable when nobody answered."""
    status = _status_in(call)
    if status is None:
        return _of_transport(call)
    message, reason, metadata = status.message, INTERNAL, {}
    for packed in status.details:
        info = error_details_pb2.ErrorInfo()
        if packed.Unpack(info) and info.domain == DOMAIN:
            reason, metadata = info.reason, dict(info.metadata)
            message = metadata.get("message", message)
    return _rebuilt(reason, status.code, message, metadata)


def was_answered(call: grpc.RpcError) -> bool:
    """Whether somebody answered the failed call, rather than gRPC saying that nobody did, or not in time."""
    return _status_in(call) is not None or call.code() not in _SILENCE


def was_unknown(call: grpc.RpcError) -> bool:
    """Whether somebody listens who has no such call: another kind of process, or another release."""
    return _status_in(call) is None and call.code() is grpc.StatusCode.UNIMPLEMENTED


def _said(error: HeliostatError) -> str:
    """Message and remedy, as long as a header may be; names that a caller made up are repeated there."""
    return cut(str(error), MOST_BYTES)


def _metadata(error: HeliostatError) -> dict[str, str]:
    metadata = {"message": cut(str(error.args[0]), MOST_BYTES)}
    for name in ("remedy", "field", "name", "leader", "expected"):
        value = getattr(error, name, "")
        if value != "":
            metadata[name] = cut(str(value), MOST_BYTES)
    return metadata


def _details(error: HeliostatError, family: Family) -> list[Any]:
    details: list[Any] = []
    field = getattr(error, "field", "")
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=field, description=_said(error), reason=reason_of(error)
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if family.code == code_pb2.FAILED_PRECONDITION:
        subject = getattr(error, "leader", "")
        failure = error_details_pb2.PreconditionFailure.Violation(
            type=reason_of(error), subject=subject, description=_said(error)
        )
        details.append(error_details_pb2.PreconditionFailure(violations=[failure]))
    if family.retry_seconds is not None:
        delay = Duration(seconds=family.retry_seconds)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return details


def _packed(detail: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed


def _status_in(call: grpc.RpcError) -> status_pb2.Status | None:
    """The status in the trailing metadata, in sync and aio calls alike."""
    trailing = getattr(call, "trailing_metadata", None)
    for key, value in (trailing() if callable(trailing) else None) or ():
        if key == "grpc-status-details-bin":
            return status_pb2.Status.FromString(value)
    return None


def _of_transport(call: grpc.RpcError) -> HeliostatError:
    """What gRPC itself says: nobody there, too large, not allowed."""
    code = call.code() if hasattr(call, "code") else grpc.StatusCode.UNKNOWN
    text = str(call.details() if hasattr(call, "details") else call) or code.name
    match code:
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" in text:
            return errors.MessageTooLarge(text, remedy="send smaller batches or request pages")
        case grpc.StatusCode.UNAVAILABLE:
            return errors.Unavailable(
                f"the control plane does not answer ({text})",
                remedy="check its address and certificates, then retry",
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return errors.Unsupported(
                f"the server does not provide this call ({text})",
                remedy="check that this is the address of a control plane of this release",
            )
        case _:
            return _rebuilt(INTERNAL, code.value[0], text, {})


def _rebuilt(reason: str, code: int, message: str, metadata: dict[str, str]) -> HeliostatError:
    """The error of that name, else one of its family; its words are the server's."""
    kind = _BY_REASON.get(reason)
    if kind is None:
        kind = next((f.error for f in FAMILIES if f.code == code), errors.Unavailable)
    error = kind.__new__(kind)
    HeliostatError.__init__(error, message, remedy=metadata.get("remedy", ""))
    for name in ("field", "name", "leader"):
        if issubclass(kind, _CARRIERS[name]):
            setattr(error, name, metadata.get(name, ""))
    if isinstance(error, errors.SequenceGap):
        error.expected = int(metadata.get("expected", 0))
    return error


_CARRIERS: dict[str, tuple[type[HeliostatError], ...]] = {
    "field": (errors.InvalidInput, errors.NotFound),
    "name": (errors.NotFound,),
    "leader": (errors.NotLeader,),
}


def _all_errors(root: type[HeliostatError]) -> list[type[HeliostatError]]:
    return [root, *(found for child in root.__subclasses__() for found in _all_errors(child))]


def _name_of(kind: type[HeliostatError]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper()


_BY_REASON = {_name_of(kind): kind for kind in _all_errors(HeliostatError)}
