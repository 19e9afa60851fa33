"""Maps Amazon's error codes to outcomes of an order: no capacity, quota, throttled, unknown, or retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from heliostat.errors import (
    CapacityUnavailable,
    DriverUnavailable,
    HeliostatError,
    PurchaseRefused,
    QuotaExceeded,
    Throttled,
    UnknownPool,
)
from services.agent.drivers.vm.cloud import NotDone

_NO_CAPACITY = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientCapacity",
        "InsufficientCapacityOnHost",
        "InsufficientAddressCapacity",
        "InsufficientFreeAddressesInSubnet",
        "InsufficientVolumeCapacity",
        "ReservationCapacityExceeded",
        "UnfulfillableCapacity",
        "Unsupported",  # this VM type is not to be had in the template's zone
    }
)
_QUOTA = frozenset(
    {
        "VcpuLimitExceeded",
        "InstanceLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "VolumeLimitExceeded",
        "MaxIOPSLimitExceeded",
        "AddressLimitExceeded",
    }
)
_NOT_FOR_US = frozenset(
    {"UnauthorizedOperation", "OptInRequired", "PendingVerification", "Blocked", "AccessDenied"}
)
_SLOW_DOWN = frozenset(
    {"RequestLimitExceeded", "Throttling", "ThrottlingException", "RequestThrottled"}
)
_NO_TEMPLATE = frozenset(
    {
        "InvalidLaunchTemplateName.NotFoundException",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateName.NotFound",
    }
)
_WRONG_TEMPLATE = frozenset(
    {
        "InvalidAMIID.NotFound",
        "InvalidAMIID.Unavailable",
        "InvalidAMIID.Malformed",
        "InvalidSubnetID.NotFound",
        "InvalidSubnet",
        "InvalidGroup.NotFound",
        "InvalidSecurityGroupID.NotFound",
        "InvalidKeyPair.NotFound",
        "InvalidBlockDeviceMapping",
        "InvalidParameterCombination",
        "InvalidLaunchTemplateId.VersionNotFound",
    }
)


def typed(error: ClientError, what: str, *, buying: bool = False) -> HeliostatError:
    """The domain's error behind a code; only a purchase can be refused for good. Whatever we cannot name is
    DriverUnavailable (NotDone where Amazon blames the request), said in full."""
    code = str(error.response.get("Error", {}).get("Code", "?"))
    message = f"{what}: {code}: {error.response.get('Error', {}).get('Message', '')}"
    if code in _SLOW_DOWN:
        return Throttled(message)
    refusal = _refusal(code, what, message) if buying else None
    if refusal is not None:
        return refusal
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return NotDone(message) if 400 <= status < 500 else DriverUnavailable(message)


def _refusal(code: str, what: str, message: str) -> HeliostatError | None:
    """Why nothing was bought, where no waiting helps; None for other codes."""
    if code in _NO_CAPACITY:
        return CapacityUnavailable(message)
    if code in _QUOTA:
        return QuotaExceeded(message)
    if code in _NOT_FOR_US:
        return PurchaseRefused(message, remedy="allow the agent's role and account to buy such VMs")
    if code in _NO_TEMPLATE:
        return UnknownPool(
            what, remedy=f"{code}: create the launch template, or set it in the pool"
        )
    if code in _WRONG_TEMPLATE:
        return UnknownPool(what, remedy=f"fix the launch template: {message}")
    return None


@contextmanager
def cloud_call(what: str, *, buying: bool = False) -> Iterator[None]:
    """Every call to Amazon happens inside one of these; `what` opens the message."""
    try:
        yield
    except ClientError as error:
        raise typed(error, what, buying=buying) from error
    except BotoCoreError as error:
        raise DriverUnavailable(f"{what}: {error}") from error
