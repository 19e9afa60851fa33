"""What determines a run, as values: scene, policy, headroom, seed."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass
from typing import Any

from heliostat.errors import InvalidInput

FLUID, EVENT = "fluid", "event"
ENGINES = (FLUID, EVENT)
"""How requests are served: rates in (fast, approximate), or one by one (what evidence rests on)."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _,.%+()-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneRef:
    """Which scenario: a built-in's name or a file's path, and a digest of what the file says.

    `path` is "" for a built-in one.
    """

    name: str
    path: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """Who decides, as asked for: `name` is what reports call it, `policy` what it is.

    `headroom` None = whatever the experiment says. "" = the policy's own forecaster, router, order of the
    queue, dispatch within a region or way to prefill. `batch_size`: so many sequences run on a replica
    at most; 0 = the policy's own way. `lends`: what it releases is lent to the spot market and taken
    back first. `guardrails` replace those of the catalogue, key by key.
    """

    name: str
    policy: str
    headroom: float | None = None
    forecaster: str = ""
    router: str = ""
    order: str = ""
    dispatch: str = ""
    prefill: str = ""
    batch_size: int = 0
    lends: bool = False
    guardrails: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(
                "policy.name",
                f"{self.name!r} is not a valid policy name",
                remedy="1 to 64 letters, digits, blanks and _,.%+()-",
            )
        if self.batch_size < 0:
            raise InvalidInput(
                "policy.batch_size",
                f"{self.batch_size} is not a valid batch size",
                remedy="1 or more",
            )
        if self.headroom is not None:
            check_headroom(self.headroom)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundTerms:
    """What a bound may assume: the attainment asked for, and how engines may prefill."""

    attainment: float
    most_prefill_tokens: int = 0
    chunks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run. Equal specs under equal code give equal results, but for their timing.

    `recorded` = the capacity over time and every decision are kept for the page. With `bound` no world
    is simulated: the least that any policy could have spent is computed.
    """

    scene: SceneRef
    policy: PolicySpec
    headroom: float
    seed: int
    engine: str = "fluid"
    recorded: bool = False
    bound: BoundTerms | None = None

    def __post_init__(self) -> None:
        check_headroom(self.headroom)
        if self.engine not in ENGINES:
            raise InvalidInput(
                "engine", f"{self.engine!r} is unknown", remedy=f"engines are {', '.join(ENGINES)}"
            )
        if self.seed < 0:
            raise InvalidInput("seed", f"{self.seed} is negative")

    def as_mapping(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def key(self, code: str) -> str:
        """A name of everything that determines the run, `code` being the code's fingerprint.

        Where the file of a scenario lies and what a report calls the policy are left out.
        """
        told = self.as_mapping()
        del told["scene"]["path"], told["policy"]["name"], told["policy"]["headroom"]
        text = json.dumps([code, told], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def __str__(self) -> str:
        return f"{self.policy.name} at headroom {self.headroom:g}, seed {self.seed}"


def check_headroom(headroom: float) -> None:
    """Raises InvalidInput unless it is finite and above -1; a policy's own least may be higher."""
    if not (math.isfinite(headroom) and headroom > -1):
        raise InvalidInput(
            "headroom",
            f"{headroom} is not a valid headroom",
            remedy="0.25 = a quarter spare, 0 = nothing",
        )
