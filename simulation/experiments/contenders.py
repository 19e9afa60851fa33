"""Makes the policy that a spec asks for, at a headroom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import InvalidInput
from heliostat.model.governance import Guardrails
from heliostat.model.instants import Span
from heliostat.ports.forecasts import Forecaster
from simulation.arrivals import ArrivalRates
from simulation.bounds.oracle import BEYOND_THE_END, OracleForecaster, future_demand
from simulation.experiments.ceilings import ORACLE as CAUSAL_ORACLE
from simulation.experiments.ceilings import ORACLE_GRID, oracle_policy
from simulation.experiments.spec import PolicySpec, RunSpec
from simulation.experiments.words import GUARDRAILS, HABITS
from simulation.local_policy import Dispatch, LocalPolicy, Order, Prefill, StaticBatchSize
from simulation.policies.failure import PolicyFailed
from simulation.policies.forecasters import ORACLE, forecaster_named
from simulation.policies.policy import Policy, PolicyOptions
from simulation.policies.registry import plugin_named
from simulation.policies.routers import router_named
from simulation.policies.watched import answering
from simulation.scenarios.scenario import Scenario


def policy_of(spec: RunSpec, scene: Scenario) -> Policy:
    """Who decides, new each time.

    Raises UnknownPolicy, UnknownForecaster, UnknownRouter, InvalidInput, PolicyFailed when its plug-in
    breaks down.
    """
    if spec.policy == CAUSAL_ORACLE:
        return oracle_policy(scene.catalogue, scene.arrivals(spec.seed), spec.headroom)
    oracle = None
    if spec.policy.forecaster == ORACLE:
        truth = future_demand(scene.arrivals(spec.seed))
        oracle = OracleForecaster(truth, forecaster_named(BEYOND_THE_END, scene.catalogue))
    history = _past(scene, spec.seed) if plugin_named(spec.policy.policy).learns else None
    return _made(spec.policy, scene, spec.headroom, oracle, history)


def locals_of(specs: Iterable[PolicySpec], scene: Scenario) -> list[LocalPolicy]:
    """How the replicas of each policy work; of one that cannot be made nothing is known."""
    none = OracleForecaster((), forecaster_named(BEYOND_THE_END, scene.catalogue))
    found = []
    for spec in specs:
        with suppress(PolicyFailed):
            found.append(_made(spec, scene, None, none).local)
    return found


def unused_said(specs: Iterable[PolicySpec], scene: Scenario) -> tuple[str, ...]:
    """Of each policy that is asked for a forecaster and looks at no forecast, a sentence that says so."""
    asked = [spec for spec in specs if spec.forecaster and spec != CAUSAL_ORACLE]
    none = OracleForecaster((), forecaster_named(BEYOND_THE_END, scene.catalogue))
    said = []
    for spec in asked:
        with suppress(PolicyFailed):
            if _made(spec, scene, None, none).rhythm.forecasts is None:
                said.append(
                    f"{spec.name} looks at no forecast: the forecaster {spec.forecaster} changes "
                    "nothing about it."
                )
    return tuple(said)


def _past(scene: Scenario, seed: int) -> ArrivalRates | None:
    """What had arrived before the run; None where nothing is known."""
    arrivals = scene.arrivals(seed)
    if arrivals.span.start >= scene.begins:
        return None
    return arrivals.within(Span(arrivals.span.start, scene.begins))


def _made(
    spec: PolicySpec,
    scene: Scenario,
    headroom: float | None,
    oracle: Forecaster | None,
    history: ArrivalRates | None = None,
) -> Policy:
    options = PolicyOptions(
        headroom=headroom,
        forecaster=spec.forecaster,
        router=spec.router,
        oracle=oracle,
        order=Order(spec.order) if spec.order else None,
        dispatch=Dispatch(spec.dispatch) if spec.dispatch else None,
        prefill=Prefill(spec.prefill) if spec.prefill else None,
        batch_size=StaticBatchSize(most=spec.batch_size) if spec.batch_size else None,
        history=history,
        lends=spec.lends,
    )
    plugin = plugin_named(spec.policy)
    with answering(spec.name, scene.begins, "plug-in"):
        policy = plugin.policy(scene.catalogue, options)
        if not isinstance(policy, Policy):
            raise TypeError(f"it made {policy!r:.60}, no Policy")
    return policy


def grid_of(spec: PolicySpec) -> tuple[float, ...]:
    """The headrooms that are worth trying."""
    return ORACLE_GRID if spec == CAUSAL_ORACLE else plugin_named(spec.policy).sweep


def least_headroom_of(spec: PolicySpec) -> float:
    """What it cannot go below."""
    return 0.0 if spec == CAUSAL_ORACLE else plugin_named(spec.policy).least_headroom


def check_policy(spec: PolicySpec, scene: Scenario, headroom: float | None = None) -> None:
    """`headroom` is what it is asked to keep where it says nothing itself; None = it is swept.

    Raises UnknownPolicy, UnknownForecaster, UnknownRouter, InvalidInput for what cannot be made.
    """
    plugin_named(spec.policy).check(headroom if spec.headroom is None else spec.headroom)
    if spec.forecaster != ORACLE:
        forecaster_named(spec.forecaster, scene.catalogue)
    if spec.router:
        router_named(spec.router)
    for field, known in HABITS.items():
        asked = getattr(spec, field)
        if asked and asked not in known:
            raise InvalidInput(field, f"{asked!r} is unknown", remedy=f"known: {', '.join(known)}")
    for name, _ in spec.guardrails:
        if name not in GUARDRAILS:
            raise InvalidInput(
                "guardrails", f"{name!r} is unknown", remedy=f"known are {', '.join(GUARDRAILS)}"
            )
    guarded(scene.catalogue, spec)


def guarded(catalogue: FleetCatalogue, spec: PolicySpec) -> FleetCatalogue:
    """The catalogue with the policy's own guardrails. Raises InvalidInput."""
    if not spec.guardrails:
        return catalogue
    told = dict(spec.guardrails)
    base = catalogue.guardrails
    rails = Guardrails(
        largest_step_out=int(told.get("largest_step_out", base.largest_step_out)),
        largest_step_in=int(told.get("largest_step_in", base.largest_step_in)),
        cool_down=_seconds(told, "cool_down_seconds", base.cool_down),
        budget_dollars_per_hour=told.get("budget_dollars_per_hour", base.budget_dollars_per_hour),
        stale_after=_seconds(told, "stale_after_seconds", base.stale_after),
    )
    return replace(catalogue, guardrails=rails)


def _seconds(told: Mapping[str, float], name: str, otherwise: timedelta) -> timedelta:
    return timedelta(seconds=told[name]) if name in told else otherwise
