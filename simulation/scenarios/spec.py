"""What a scenario file may say, checked: fleet, demand, troubles, callers, and the target to compare with.

One file serves `trace build`, which writes the requests, and the simulator, which serves them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, field_validator, model_validator

from heliostat.model.instants import FIRST_YEAR, LAST_YEAR
from heliostat.model.names import ModelName, Tier
from simulation.clients import RetryRule
from simulation.scenarios.part import MOST_HOURS, Part
from simulation.scenarios.troubles_part import TroublesPart
from simulation.workload.bursts import BurstTest
from simulation.workload.published import TIER_SHARES
from simulation.workload.quantiles import LengthLaws, QuantileLaw, law_of_lengths
from simulation.workload.target import Quantiles, TargetSpec
from simulation.workload.wanted import HISTORY_DAYS

DAY_MINUTES = 1440
_NEARLY_WHOLE = 1e-6
"""In minutes; 0.7 days are 1008 minutes to within rounding."""
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=1e9)]


class MixPart(Part):
    """How requests fall on the tiers, as weights."""

    interactive_fast: Annotated[Weight, Field(alias="interactive-fast")] = 0.0
    interactive_normal: Annotated[Weight, Field(alias="interactive-normal")] = 0.0
    batch: Weight = 0.0

    @model_validator(mode="after")
    def _holds_something(self) -> MixPart:
        if not sum(self.shares().values()):
            raise ValueError("needs a weight above 0 for at least one tier")
        return self

    def shares(self) -> dict[Tier, float]:
        """By tier."""
        return {
            Tier.INTERACTIVE_FAST: self.interactive_fast,
            Tier.INTERACTIVE_NORMAL: self.interactive_normal,
            Tier.BATCH: self.batch,
        }


class BurstPart(Part):
    """The burst test; the defaults are SageServe's."""

    factor: Annotated[int, Field(ge=1, le=1000)] = 8
    after_hours: Annotated[int, Field(ge=0, le=MOST_HOURS)] = 25
    every_minutes: Annotated[int, Field(ge=1, le=60 * MOST_HOURS)] = 60
    minutes: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _fits(self) -> BurstPart:
        if self.minutes > self.every_minutes:
            raise ValueError("minutes may not exceed every_minutes")
        return self

    def test(self) -> BurstTest:
        """The test as the workload knows it."""
        return BurstTest(
            factor=self.factor,
            after=timedelta(hours=self.after_hours),
            every=timedelta(minutes=self.every_minutes),
            length=timedelta(minutes=self.minutes),
        )


class LengthsPart(Part):
    """Tokens per request of one model, as quantiles."""

    prompt: Quantiles
    output: Quantiles

    def laws(self) -> LengthLaws:
        """As laws to draw from."""
        return LengthLaws(prompt=_law(self.prompt), output=_law(self.output))


class _Drawn(Part):
    """What demands that are drawn have in common."""

    busy_replicas: Annotated[float, Field(gt=0, le=1_000_000)]
    mix: MixPart | None = None
    burst: BurstPart | None = None
    lengths: dict[str, LengthsPart] = Field(default_factory=dict)

    def laws(self) -> dict[ModelName, LengthLaws]:
        """The lengths that the file names."""
        return {ModelName(name): part.laws() for name, part in self.lengths.items()}


class PublishedDemand(_Drawn):
    """SageServe's published shapes.

    Its burstiness is that of a model in all regions together. With `own` bursts each region and tier has
    its own, and the sum is calmer than published; `shared` ones strike every region in the same minute,
    which keeps it, and leaves nothing to do but to hold spare replicas (docs/decisions/0012).
    """

    kind: Literal["published"]
    bursts: Literal["shared", "own"] = "own"


class PoolPart(Part):
    """A series file, every series of which is a tenant, and what its requests are multiplied by."""

    path: str
    factor: Positive = 1.0


class SeriesDemand(_Drawn):
    """Load series: whole tenants at home in regions, on their clocks, scaled, holes kept."""

    kind: Literal["series"]
    files: Annotated[list[PoolPart], Field(min_length=1)]


class RequestsDemand(Part):
    """A request trace, replayed row by row."""

    kind: Literal["requests"]
    path: str
    models: dict[str, str] = Field(default_factory=dict)
    mix: MixPart | None = None
    skip_bad_rows: bool = False


Demand = Annotated[PublishedDemand | SeriesDemand | RequestsDemand, Field(discriminator="kind")]


class RetriesPart(Part):
    """What callers do who are turned away."""

    times: Annotated[int, Field(ge=0, le=100)] = 0
    back_off_seconds: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    probability: Fraction = 1.0
    growth: Annotated[float, Field(ge=1, le=100)] = 1.0


class ScenarioSpec(Part):
    """The whole file. Paths count from the folder of the file."""

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    description: str = ""
    catalogue: str | None = None
    fleet: Literal["us", "us-small", "globe", "tenants"] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    begins: AwareDatetime | None = None
    days: Annotated[float, Field(gt=0, le=366)] | None = None
    """A fraction must come to whole minutes."""
    history_days: Annotated[int, Field(ge=0, le=366)] | None = None
    demand: Demand
    troubles: dict[str, TroublesPart] = Field(default_factory=dict)
    warm_vms: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    retries: RetriesPart = RetriesPart()
    usable_share: Fraction = 0.7
    target: TargetSpec | None = None

    @field_validator("days")
    @classmethod
    def _whole_minutes(cls, days: float | None) -> float | None:
        minutes = 1.0 if days is None else days * DAY_MINUTES
        if abs(minutes - round(minutes)) > _NEARLY_WHOLE or round(minutes) < 1:
            raise ValueError(
                f"{days:g} days are {minutes:g} minutes; it must be whole minutes, as 0.25 days are"
            )
        return days

    @model_validator(mode="after")
    def _complete(self) -> ScenarioSpec:
        if (self.catalogue is None) == (self.fleet is None):
            raise ValueError("needs either `catalogue` (a file) or `fleet` (a built-in fleet)")
        if not isinstance(self.demand, RequestsDemand) and (
            self.begins is None or self.days is None
        ):
            raise ValueError(f"a demand of kind {self.demand.kind} needs `begins` and `days`")
        if isinstance(self.demand, RequestsDemand) and self.begins is not None:
            raise ValueError("`begins` is not needed: requests begin when they were recorded")
        if self.begins is not None and (self.begins.second or self.begins.microsecond):
            raise ValueError("`begins` must be a whole minute")
        if self.begins is not None and not FIRST_YEAR < self.begins.year < LAST_YEAR:
            raise ValueError(f"`begins` must be between the years {FIRST_YEAR} and {LAST_YEAR}")
        return self

    @property
    def run_length(self) -> timedelta | None:
        """How long a run is, in whole minutes; None = as long as the requests last."""
        return None if self.days is None else timedelta(minutes=round(self.days * DAY_MINUTES))

    @property
    def past_days(self) -> int:
        """Days of history: as told, else 14 where demand is drawn and none where it was recorded."""
        if self.history_days is not None:
            return self.history_days
        return 0 if isinstance(self.demand, RequestsDemand) else HISTORY_DAYS


def shares_of(mix: MixPart | None) -> dict[Tier, float]:
    """The mix, or the published one."""
    return dict(TIER_SHARES) if mix is None else mix.shares()


def retry_rule(part: RetriesPart) -> RetryRule:
    """As callers follow it."""
    return RetryRule(
        most=part.times,
        back_off=timedelta(seconds=part.back_off_seconds),
        probability=part.probability,
        growth=part.growth,
    )


def _law(quantiles: Quantiles) -> QuantileLaw:
    points = sorted(quantiles.items())
    return law_of_lengths([level for level, _ in points], [value for _, value in points])
