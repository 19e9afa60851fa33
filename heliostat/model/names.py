"""Names of regions, models, VM types and tiers, and the keys built from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType, Self

from heliostat.errors import InvalidInput, UnknownTier

RegionName = NewType("RegionName", str)
ModelName = NewType("ModelName", str)
VmTypeName = NewType("VmTypeName", str)

EVERYWHERE = RegionName("*")
"""The origin of an aggregate series: demand summed over all regions, forecast on its own."""


class Tier(StrEnum):
    """Service class of a request (SageServe's IW-F, IW-N and NIW)."""

    INTERACTIVE_FAST = "interactive-fast"
    INTERACTIVE_NORMAL = "interactive-normal"
    BATCH = "batch"

    @classmethod
    def parse(cls, text: str) -> Tier:
        """The tier of that name. Raises UnknownTier, naming the ones that exist."""
        try:
            return cls(text)
        except ValueError:
            raise UnknownTier(text, remedy=f"tiers are {', '.join(cls)}") from None


class TokenKind(StrEnum):
    """Which tokens a demand series counts."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PoolKey:
    """One model on one VM type in one region: the thing that is scaled."""

    region: RegionName
    model: ModelName
    vm_type: VmTypeName

    def __post_init__(self) -> None:
        if "/" in self.region + self.model + self.vm_type:
            raise InvalidInput("pool", f"names may not contain '/': {self}")

    def __str__(self) -> str:
        return f"{self.region}/{self.model}/{self.vm_type}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key behind `region/model/vm_type`. Raises InvalidInput."""
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):
            raise InvalidInput("pool", f"{text!r} is not region/model/vm_type")
        return cls(
            region=RegionName(parts[0]), model=ModelName(parts[1]), vm_type=VmTypeName(parts[2])
        )


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DemandKey:
    """Whose demand: requests of one tier for one model that arrive in one region (or EVERYWHERE)."""

    origin: RegionName
    model: ModelName
    tier: Tier

    def __str__(self) -> str:
        return f"{self.origin}/{self.model}/{self.tier}"

    @property
    def everywhere(self) -> DemandKey:
        """The same demand summed over all origins."""
        return DemandKey(origin=EVERYWHERE, model=self.model, tier=self.tier)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SeriesKey:
    """One forecastable series: a demand key and the kind of tokens counted."""

    demand: DemandKey
    kind: TokenKind

    def __str__(self) -> str:
        return f"{self.demand}/{self.kind}"
