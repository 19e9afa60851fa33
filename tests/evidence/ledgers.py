"""Ledgers made up from figures by policy, headroom and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.evidence.ledger import Curve, Ledger, Place, Trial

HOME = "home"
Figures = Mapping[str, float | None]


def a_trial(
    policy: str,
    headroom: float,
    seed: int,
    *,
    kept: float = 0.995,
    billed: float = 100.0,
    scenario: str = HOME,
    **figures: float | None,
) -> Trial:
    told = {"slo_attainment_judged": kept, "gpu_hours_billed": billed}
    return Trial(
        scenario=scenario, policy=policy, headroom=headroom, seed=seed, figures=told | figures
    )


def a_place(role: str = HOME, *, name: str = "", seeds: int = 3) -> Place:
    return Place(
        role=role,
        name=name or role,
        said=("Made for a test.",),
        days=1.0,
        requests=1000.0,
        levels={"0.99": seeds},
    )


def a_ledger(
    trials: Sequence[Trial],
    *,
    seeds: tuple[int, ...] = (1, 2, 3),
    places: tuple[Place, ...] = (),
    curves: tuple[Curve, ...] = (),
    complete: bool = True,
    settled: bool = True,
) -> Ledger:
    return Ledger(
        page="sageserve",
        code="abc",
        commit="123",
        seeds=seeds,
        cpu_seconds=12.5,
        complete=complete,
        places=places or (a_place(seeds=len(seeds)),),
        trials=tuple(trials),
        curves=curves,
        settled=frozenset(
            (one.scenario, one.policy, level)
            for one in (trials if settled else ())
            for level in (0.99, 0.95)
        ),
    )
