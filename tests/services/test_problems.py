"""An error looks the same on both sides of the wire."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from heliostat import errors
from heliostat.errors import HeliostatError
from services.translation.problems import (
    FAMILIES,
    error_of,
    error_of_problem,
    family_of,
    problem_of,
    reason_of,
    status_of,
    unexpected_status,
    was_answered,
    was_unknown,
)

SAMPLES: list[HeliostatError] = [
    errors.InvalidInput("batch.revision", "starts at 1", remedy="count from 1"),
    errors.UnknownVmType("a100", remedy="VM types are b200", field="pool.vm_type"),
    errors.StaleEtag("the pool changed", remedy="read again"),
    errors.RequestIdReused("came before"),
    errors.SequenceGap("skips 4", expected=4),
    errors.NotLeader("this one follows", leader="10.0.0.1:7443", remedy="ask the leader"),
    errors.Forbidden("a gateway may not scale"),
    errors.Unauthenticated("no certificate"),
    errors.MessageTooLarge("5 MB", remedy="split it"),
    errors.StorageUnavailable("the database does not answer"),
    errors.Unsupported("the agent keeps no history", remedy="ask a control plane"),
    errors.CorruptJournal("set aside"),
]


class Failed(grpc.RpcError):
    """A failed call as a client sees it."""

    def __init__(self, status: status_pb2.Status) -> None:
        self._status = status

    def trailing_metadata(  # type: ignore[override]  # pairs, whatever the library's stubs say
        self,
    ) -> tuple[tuple[str, bytes], ...]:
        return (("grpc-status-details-bin", self._status.SerializeToString()),)


class Broken(grpc.RpcError):
    """A call that failed before our server said anything."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


def all_errors(root: type[HeliostatError] = HeliostatError) -> list[type[HeliostatError]]:
    return [child for c in root.__subclasses__() for child in (c, *all_errors(c))]


@pytest.mark.parametrize("error", SAMPLES, ids=reason_of)
def test_a_client_meets_the_error_that_the_server_raised(error: HeliostatError) -> None:
    for again in (error_of(Failed(status_of(error))), error_of_problem(problem_of(error))):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert getattr(again, "field", "") == getattr(error, "field", "")
    assert vars(error_of(Failed(status_of(error)))) == vars(error)


def test_every_error_belongs_to_exactly_one_family() -> None:
    for kind in all_errors():
        assert sum(issubclass(kind, family.error) for family in FAMILIES) == 1, kind


def test_a_bad_field_is_a_field_violation() -> None:
    status = status_of(SAMPLES[0])
    assert status.code == code_pb2.INVALID_ARGUMENT
    request = error_details_pb2.BadRequest()
    assert any(detail.Unpack(request) for detail in status.details)
    assert request.field_violations[0].field == "batch.revision"


def test_a_limit_says_when_to_retry() -> None:
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in status_of(SAMPLES[8]).details)
    assert retry.retry_delay.seconds > 0


def test_not_leader_names_the_leader_as_the_precondition() -> None:
    failure = error_details_pb2.PreconditionFailure()
    assert any(detail.Unpack(failure) for detail in status_of(SAMPLES[5]).details)
    assert failure.violations[0].subject == "10.0.0.1:7443"


def test_a_fault_of_ours_says_nothing_of_its_insides() -> None:
    status = unexpected_status(KeyError("password"))
    assert status.code == code_pb2.INTERNAL
    assert "password" not in str(status)


def test_a_refused_purchase_does_not_ask_for_a_retry() -> None:
    family = family_of(errors.PurchaseRefused("the role may not buy"))
    assert (family.code, family.retry_seconds) == (code_pb2.FAILED_PRECONDITION, None)


def test_an_error_of_a_newer_server_is_one_of_its_family() -> None:
    status = status_of(SAMPLES[2])
    info = error_details_pb2.ErrorInfo(reason="SOMETHING_NEW", domain="heliostat")
    del status.details[:]
    status.details.add().Pack(info)
    assert type(error_of(Failed(status))) is errors.Conflict


def test_what_grpc_itself_says_is_typed_too() -> None:
    too_large = Broken(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (5 vs 4)"
    )
    assert type(error_of(too_large)) is errors.MessageTooLarge
    assert type(error_of(Broken(grpc.StatusCode.UNAVAILABLE, "refused"))) is errors.Unavailable
    unknown = Broken(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
    assert type(error_of(unknown)) is errors.Unsupported
    assert "control plane" in str(error_of(unknown))
    denied = Broken(grpc.StatusCode.PERMISSION_DENIED, "no")
    assert type(error_of(denied)) is errors.Forbidden


@pytest.mark.parametrize(
    "error", [kind("x" * 10_000) for kind in (errors.UnknownRegion, errors.Conflict)]
)
def test_an_error_that_repeats_what_it_was_given_still_fits_into_headers(
    error: HeliostatError,
) -> None:
    status = status_of(error)
    assert len(status.SerializeToString()) + len(status.message) < 8 * 1024
    assert type(error_of(Failed(status))) is type(error)


@pytest.mark.parametrize(
    ("code", "answered"),
    [
        (grpc.StatusCode.UNAVAILABLE, False),
        (grpc.StatusCode.DEADLINE_EXCEEDED, False),
        (grpc.StatusCode.UNIMPLEMENTED, True),
        (grpc.StatusCode.INTERNAL, True),
    ],
)
def test_silence_is_told_from_an_answer(code: grpc.StatusCode, answered: bool) -> None:
    assert was_answered(Broken(code, "")) is answered
    assert was_answered(Failed(status_of(errors.Unavailable("the store is away"))))


def test_a_call_that_nobody_knows_is_told_from_one_that_is_not_served() -> None:
    assert was_unknown(Broken(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
    assert not was_unknown(Broken(grpc.StatusCode.INTERNAL, ""))
    assert not was_unknown(Failed(status_of(errors.Unsupported("ask a control plane"))))
