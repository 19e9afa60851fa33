"""SageServe: the integer programme on the hour, and three ways to move towards it.

LT-I at once, LT-U when utilisation says so, LT-UA past it when demand is far off the forecast. Requests
are routed by the 70 % rule; released VMs may be lent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.ports.deciding import ScalingStrategy
from planning.rivals.hourly import HourlySageServe, HourlySettings
from planning.rivals.sageserve import SageServeSettings
from planning.strategies import ForecastGap, Immediate, UtilisationGated
from simulation.policies.policy import Policy, PolicyOptions, PolicyPlugin
from simulation.policies.routers import SEVENTY
from simulation.policies.wiring import local_policy, make_deciders
from simulation.world import Rhythm

RHYTHM = Rhythm(forecasts=timedelta(minutes=60), scores=None, plans=timedelta(minutes=1))
"""Forecasts on the hour; asked every minute, for strategies look at utilisation as it is."""
LEVEL = 0.5
"""The median of the peak minute: what is spare comes from the headroom, which costs less for the same."""
OWN_SHARE = 1.0
"""ε: every region holds its own peak, as in the authors' code."""
DEFAULT_HEADROOM = 0.2
LEAST_HEADROOM = -0.6
"""Told the peak that will come, a programme that covers it keeps more than 99 % with nothing spare."""
StrategyMaker = Callable[[FleetCatalogue], ScalingStrategy]


@dataclass(frozen=True, slots=True)
class SageServeMaker:
    """Makes the policy of that name; `own_share` is ε."""

    name: str
    strategy: StrategyMaker
    own_share: float = OWN_SHARE

    def __call__(self, catalogue: FleetCatalogue, options: PolicyOptions) -> Policy:
        headroom = options.headroom_or(DEFAULT_HEADROOM)
        settings = HourlySettings(
            programme=SageServeSettings(own_share=self.own_share, level=LEVEL), headroom=headroom
        )
        planner = HourlySageServe(settings)
        return Policy(
            name=self.name,
            deciders=make_deciders(
                catalogue, options, planner, router=SEVENTY, strategy=self.strategy(catalogue)
            ),
            rhythm=RHYTHM,
            local=local_policy(options),
            lends=options.lends,
        )


def _plugin(name: str, summary: str, strategy: StrategyMaker) -> PolicyPlugin:
    return PolicyPlugin(
        name=name,
        summary=summary,
        make=SageServeMaker(name, strategy),
        headroom="the programme covers (1+h) times the median of the peak, replicas at full throughput; "
        "a negative h covers less",
        default_headroom=DEFAULT_HEADROOM,
        sweep=(-0.3, 0.0, 0.1, 0.2, 0.35, 0.6, 1.0),
        least_headroom=LEAST_HEADROOM,
        fluid="batch requests are held until replicas are below 60 % busy",
    )


LT_I = _plugin("lt-i", "SageServe's programme, applied at once", lambda _: Immediate())
LT_U = _plugin(
    "lt-u",
    "SageServe's programme, approached when utilisation is above 70 % or below 30 %",
    lambda _: UtilisationGated(),
)
LT_UA = _plugin(
    "lt-ua",
    "as lt-u, and beyond the programme when demand is far off the forecast",
    lambda catalogue: ForecastGap(catalogue=catalogue),
)
