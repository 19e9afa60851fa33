"""How good plans are and what they cost: gaps to the LP bound at 10×20×4, a live plan, a routing pass."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from benchmarks.example import example_fleet
from benchmarks.figure import Benchmark, Figure
from heliostat.catalogue import FleetCatalogue
from heliostat.clock import cpu_seconds
from heliostat.model.fleet import Fleet, PoolObservation, PoolState, Signal
from heliostat.model.forecast import QUANTILE_LEVELS, Forecast
from heliostat.model.governance import Mode, Modes, ModeSetting
from heliostat.model.names import EVERYWHERE, DemandKey, SeriesKey, TokenKind
from heliostat.model.plan import CapacityPlan
from heliostat.ports.deciding import DemandRate, PlanningProblem, RoutingProblem
from planning.highs import SolveLimits
from planning.offline.random_problem import random_problem
from planning.planner import HeliostatPlanner
from planning.routing.router import WaterFillingRouter
from planning.solve import SolveSettings, solve
from planning.throughput import throughputs

SEEDS = (1, 2, 3, 4, 5)
_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_DIVES = SolveSettings(limits=SolveLimits(nodes=0))
_LIVE = "make bench ARGS=planning.live"
_BRANCH = SolveSettings(limits=SolveLimits(nodes=300, most_whole=100_000, fuse_seconds=120))


def _gaps(busy: float, gap: float | None, cpu: float | None) -> Iterable[Figure]:
    """The worst gap and the dearest solve of several seeds."""
    began = cpu_seconds()
    reports = []
    for seed in SEEDS:
        problem = random_problem(regions=10, models=20, vm_types=4, busy=busy, seed=seed)
        solution = solve(problem.instance(), _DIVES, stopwatch=cpu_seconds)
        assert solution is not None
        reports.append(solution.report)
    spent = cpu_seconds() - began
    command = f"make bench ARGS=planning.busy_{busy:g}"
    gaps = [100 * (report.gap or 0.0) for report in reports]
    yield Figure(
        name=f"plan 10x20x4, {busy:g} busy, worst gap to the LP bound",
        value=max(gaps),
        unit="%",
        target=gap,
        command=command,
        cpu_seconds=spent,
        note=f"mean {sum(gaps) / len(gaps):.2f} % of seeds {SEEDS}",
    )
    yield Figure(
        name=f"plan 10x20x4, {busy:g} busy, most CPU of one solve",
        value=max(report.cpu_seconds for report in reports),
        unit="s",
        target=cpu,
        command=command,
        cpu_seconds=spent,
    )


def busy_20() -> Iterable[Figure]:
    """20 busy replicas a cell."""
    return _gaps(20, 0.6, 1.0)


def busy_5() -> Iterable[Figure]:
    """5 busy replicas a cell."""
    return _gaps(5, 2.5, 2.0)


def busy_1() -> Iterable[Figure]:
    """One busy replica a cell, where the relaxation is loose: the best branch and bound stands beside."""
    yield from _gaps(1, None, None)
    began = cpu_seconds()
    problem = random_problem(regions=10, models=20, vm_types=4, busy=1, seed=SEEDS[0])
    branched = solve(problem.instance(), _BRANCH, stopwatch=cpu_seconds)
    assert branched is not None
    yield Figure(
        name="plan 10x20x4, 1 busy, best MIP's gap (seed 1)",
        value=100 * (branched.report.gap or 0.0),
        unit="%",
        command="make bench ARGS=planning.busy_1",
        cpu_seconds=cpu_seconds() - began,
        note=f"{branched.report.nodes} nodes, {branched.report.cpu_seconds:.1f} s CPU",
    )


def live() -> Iterable[Figure]:
    """One tick of the example fleet: 3 regions, 4 models, 2 VM types, 6 steps; then one routing pass."""
    problem = _live_problem(example_fleet())
    planner = HeliostatPlanner()
    plan = planner.plan(problem)
    began = cpu_seconds()
    for _ in range(5):
        plan = planner.plan(problem)
    spent = cpu_seconds() - began
    yield Figure(
        name="plan of the example fleet, CPU",
        value=spent / 5,
        unit="s",
        target=0.1,
        command=_LIVE,
        cpu_seconds=spent,
        note=f"gap {100 * (plan.solve.gap or 0.0):.2f} %" if plan.solve else "",
    )
    yield _routing_pass(problem, plan)


def _routing_pass(problem: PlanningProblem, plan: CapacityPlan) -> Figure:
    catalogue = problem.catalogue
    routing = RoutingProblem(
        catalogue=catalogue,
        at=_NOON,
        fleet=problem.fleet,
        plan=plan,
        demand=tuple(
            DemandRate(demand=key, requests_per_second=1.0, measured=True)
            for key in catalogue.demands
        ),
        mixes=(),
        modes=Modes(
            (ModeSetting(region=EVERYWHERE, mode=Mode.ACTIVE, author="-", reason="-", at=_NOON),)
        ),
    )
    router = WaterFillingRouter()
    router.route(routing)
    began = cpu_seconds()
    for _ in range(50):
        router.route(routing)
    spent = cpu_seconds() - began
    return Figure(
        name="routing tables of the example fleet, CPU",
        value=1000 * spent / 50,
        unit="ms",
        target=5.0,
        command=_LIVE,
        cpu_seconds=spent,
    )


def _live_problem(catalogue: FleetCatalogue) -> PlanningProblem:
    """About twenty busy replicas a model, unevenly spread, against four of each A100 pool."""
    thetas = throughputs(catalogue, ())
    forecasts: list[Forecast] = []
    for key in catalogue.demands:
        spec = catalogue.model(key.model).tier(key.tier)
        assert spec is not None
        vm_type = next(iter(catalogue.model(key.model).engines))
        share = 1.0 + [region.name for region in catalogue.regions].index(key.origin)
        rate = 1.2 * share * thetas[key.model, vm_type, key.tier].requests_per_second
        forecasts += [
            _flat(key, TokenKind.INPUT, rate * spec.assumed_input_tokens),
            _flat(key, TokenKind.OUTPUT, rate * spec.assumed_output_tokens),
        ]
    return PlanningProblem(
        catalogue=catalogue,
        at=_NOON,
        forecasts=tuple(forecasts),
        mixes=(),
        fleet=Fleet(
            at=_NOON,
            pools=tuple(
                PoolState(
                    observation=PoolObservation(pool=pool.key, ready=4, desired=4, utilisation=0.6),
                    observed_at=_NOON,
                    signal=Signal.FRESH,
                )
                for pool in catalogue.pools
                if pool.min_replicas
            ),
        ),
    )


def _flat(key: DemandKey, kind: TokenKind, tokens_per_second: float) -> Forecast:
    rows = tuple(
        (tokens_per_second * (1 + 0.1 * number),) * 24 for number in range(len(QUANTILE_LEVELS))
    )
    return Forecast(
        key=SeriesKey(demand=key, kind=kind),
        issued_at=_NOON,
        start=_NOON,
        step=timedelta(minutes=15),
        method="flat",
        trained_until=_NOON,
        levels=QUANTILE_LEVELS,
        mean=rows,
        peak=rows,
    )


BENCHMARKS: tuple[Benchmark, ...] = (busy_20, busy_5, busy_1, live)
