"""What a policy is to a simulated world, and what may be asked of the plug-in that makes one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.loops.control import Deciders
from heliostat.ports.forecasts import Forecaster
from simulation.arrivals import ArrivalRates
from simulation.local_policy import BatchSize, Dispatch, LocalPolicy, Order, Prefill
from simulation.policies.recast import Recast
from simulation.world import Rhythm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """Who decides in a world, how often it is asked, and how replicas work meanwhile.

    `recast`: it runs on a fleet of other names (siloed pools); None = in the catalogue's own.
    `lends`: released VMs are lent to the spot market and taken back first.
    """

    deciders: Deciders
    rhythm: Rhythm
    name: str = "unnamed"
    local: LocalPolicy = field(default_factory=LocalPolicy)
    recast: Recast | None = None
    lends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyOptions:
    """What an experiment may ask of any policy; nothing asked = the policy's own best setting.

    `headroom`: it holds 1 + headroom times the capacity that it believes to be needed; each plug-in says
    what that means for it. `forecaster` and `router` are names; `oracle` is what the forecaster of
    that name stands for. `local` replaces how replicas work, `order` only the order of the queue,
    `dispatch` only which replica gets a request, `prefill` only how prompts are read, `batch_size` only
    how many sequences run on a replica.
    `history` is what had arrived before the run, for rules that are set from it.
    """

    headroom: float | None = None
    forecaster: str = ""
    router: str = ""
    oracle: Forecaster | None = None
    local: LocalPolicy | None = None
    order: Order | None = None
    dispatch: Dispatch | None = None
    prefill: Prefill | None = None
    batch_size: BatchSize | None = None
    history: ArrivalRates | None = None
    lends: bool = False

    def __post_init__(self) -> None:
        if self.headroom is not None and not (math.isfinite(self.headroom) and self.headroom > -1):
            raise InvalidInput(
                "headroom",
                f"{self.headroom} is not a valid headroom",
                remedy="0.25 = a quarter spare",
            )

    def headroom_or(self, otherwise: float) -> float:
        """What was asked for, else the policy's own."""
        return otherwise if self.headroom is None else self.headroom


PolicyMaker = Callable[[FleetCatalogue, PolicyOptions], Policy]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPlugin:
    """A policy on the shelf: its name, what it is, how it is made, and what its headroom means.

    `default_headroom` is the setting that `PolicyOptions()` gives; `sweep` are the headrooms worth trying.
    `least_headroom` is below 0 where it can hold less than it believes to be needed: a rule that covers
    peaks may keep more than was asked with nothing spare.
    `fluid` says what the fluid engine cannot show of it ("" = it shows all). `learns`: it is set from
    what had arrived before the run (`PolicyOptions.history`).
    """

    name: str
    summary: str
    make: PolicyMaker
    headroom: str
    default_headroom: float
    sweep: tuple[float, ...]
    fluid: str = ""
    learns: bool = False
    least_headroom: float = 0.0

    def policy(self, catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
        """The policy of these options, new each time: policies may remember within a run.

        Raises UnknownForecaster, UnknownRouter, InvalidInput.
        """
        self.check(options.headroom)
        return self.make(catalogue, options)

    def check(self, headroom: float | None) -> None:
        """Raises InvalidInput for less headroom than it can be asked for; None = its default."""
        if headroom is not None and headroom < self.least_headroom:
            raise InvalidInput(
                "headroom",
                f"{self.name} cannot hold {headroom:g}",
                remedy=f"{self.least_headroom:g} or more; 0.25 = a quarter spare",
            )
