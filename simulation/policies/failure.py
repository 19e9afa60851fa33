"""Policy errors: an unknown name, and a policy that fails during a run."""

from __future__ import annotations

from datetime import datetime

from heliostat.errors import InvalidInput, NotFound


class UnknownPolicy(NotFound):
    """No plug-in has that name."""

    kind = "policy"


class UnknownForecaster(NotFound):
    """No forecaster has that name."""

    kind = "forecaster"


class UnknownRouter(NotFound):
    """No router has that name."""

    kind = "router"


class PolicyFailed(InvalidInput):
    """A policy raised, or answered nonsense; `policy` and `at` say which and when."""

    def __init__(self, policy: str, at: datetime, what: str) -> None:
        super().__init__(f"policy {policy} at {at:%Y-%m-%dT%H:%M:%SZ}", what)
        self.policy = policy
        self.at = at
