"""What Amazon's error codes mean for an order: no capacity, quota, slow down, unknown, or try later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from heliostat.errors import (
    CapacityUnavailable,
    DriverUnavailable,
    HeliostatError,
    QuotaExceeded,
    Throttled,
    UnknownPool,
)

_NO_CAPACITY = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "InsufficientCapacity",
    }
)
_QUOTA = frozenset(
    {
        "VcpuLimitExceeded",
        "InstanceLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
    }
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


def typed(error: ClientError, what: str) -> HeliostatError:
    """The domain's error behind a code; whatever we cannot name is DriverUnavailable, said in full."""
    code = str(error.response.get("Error", {}).get("Code", "?"))
    message = f"{what}: {code}: {error.response.get('Error', {}).get('Message', '')}"
    if code in _NO_CAPACITY:
        return CapacityUnavailable(message)
    if code in _QUOTA:
        return QuotaExceeded(message)
    if code in _SLOW_DOWN:
        return Throttled(message)
    if code in _NO_TEMPLATE:
        return UnknownPool(what, remedy=f"{code}: make the launch template, or name it in the pool")
    return DriverUnavailable(message)


@contextmanager
def cloud_call(what: str) -> Iterator[None]:
    """Every call to Amazon happens inside one of these; `what` opens the message."""
    try:
        yield
    except ClientError as error:
        raise typed(error, what) from error
    except BotoCoreError as error:
        raise DriverUnavailable(f"{what}: {error}") from error
