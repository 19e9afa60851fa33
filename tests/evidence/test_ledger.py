"""What is kept beside a page is enough to render it, and reads back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.evidence.excerpts import ON_A100, RECOVERY, curve_of, figures_of, recovery_minutes
from benchmarks.evidence.ledger import Trial, ledger_as_mapping, ledger_of
from benchmarks.evidence.reading import above_bound, fixed, gain_of, relative, standing
from benchmarks.evidence.writing import read_ledger, write_ledger
from heliostat.errors import InvalidInput
from simulation.experiments.ceilings import LINEAR
from simulation.experiments.result import Record, RunResult, TierRecord
from tests.evidence.ledgers import HOME, a_ledger, a_place, a_trial
from tests.simulation.reports.found import a_record


def a_frontier() -> list[Trial]:
    return [
        *(a_trial("ours", 0.2, seed, kept=0.98, billed=70) for seed in (1,)),
        *(a_trial("ours", 0.4, seed, kept=0.991, billed=80 + seed) for seed in (1, 2, 3)),
        *(a_trial("ours", 0.8, seed, kept=0.999, billed=90) for seed in (1, 2, 3)),
        *(a_trial("theirs", 0.1, seed, kept=0.95, billed=100 + seed) for seed in (1, 2, 3)),
    ]


def test_a_ledger_survives_its_file(tmp_path: Path) -> None:
    curve = curve_of(HOME, "ours", a_record())
    ledger = a_ledger([*a_frontier(), a_trial("odd", 0.1, 1, idle=None)], curves=(curve,))
    write_ledger(ledger, tmp_path)
    back = read_ledger("sageserve", tmp_path)
    assert ledger_as_mapping(back) == ledger_as_mapping(ledger)
    assert back.points(HOME, "ours", 3)[0].mean("gpu_hours_billed") == ledger.points(
        HOME, "ours", 3
    )[0].mean("gpu_hours_billed")


def test_a_ledger_of_another_schema_or_none_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="without --render"):
        read_ledger("sageserve", tmp_path)
    told = ledger_as_mapping(a_ledger(a_frontier())) | {"schema": 99}
    with pytest.raises(ValueError, match="schema 99"):
        ledger_of(told)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "sageserve.json").write_text(json.dumps(told))
    with pytest.raises(InvalidInput, match="cannot be read back"):
        read_ledger("sageserve", tmp_path)


def test_a_policy_stands_at_the_cheapest_setting_that_all_seeds_ran_and_that_reaches() -> None:
    ours = standing(a_ledger(a_frontier()), HOME, "ours", 0.99)
    assert ours is not None
    assert (ours.point.headroom, ours.reached, ours.on_the_floor) == (0.4, True, False)


def test_a_policy_that_never_reaches_stands_at_its_nearest_miss() -> None:
    theirs = standing(a_ledger(a_frontier()), HOME, "theirs", 0.99)
    assert theirs is not None
    assert not theirs.reached
    assert standing(a_ledger(a_frontier()), HOME, "nobody", 0.99) is None


def test_a_policy_of_fewer_seeds_is_compared_on_those_that_it_ran() -> None:
    few = [a_trial("few", 0.3, seed, billed=50 * (100 + seed)) for seed in (1, 2)]
    ledger = a_ledger([*a_frontier(), *few, a_trial("few", 0.1, 1, kept=0.9)])
    found = standing(ledger, HOME, "few", 0.99)
    assert found is not None
    assert sorted(found.point.results) == [1, 2]
    change = relative(found, standing(ledger, HOME, "theirs", 0.99), "gpu_hours_billed")
    assert change is not None
    assert change.count == 2
    assert change.mean == pytest.approx(49.0)


def test_a_change_is_taken_seed_by_seed() -> None:
    ledger = a_ledger(a_frontier())
    ours, theirs = (standing(ledger, HOME, name, 0.99) for name in ("ours", "theirs"))
    found = relative(ours, theirs, "gpu_hours_billed")
    assert found is not None
    by_hand = [(80 + s - 100 - s) / (100 + s) for s in (1, 2, 3)]
    assert found.mean == pytest.approx(sum(by_hand) / 3)
    gain = gain_of(found)
    assert gain is not None
    assert gain.mean == -found.mean
    assert gain.low is not None
    assert found.high is not None
    assert gain.low == -found.high


def test_a_run_that_broke_off_leaves_its_seed_out_of_no_comparison_silently() -> None:
    trials = a_frontier()
    broken = a_ledger([*trials[:-1], type(trials[-1])(
        scenario=HOME, policy="theirs", headroom=0.1, seed=3, failure="ValueError: no"
    )])  # fmt: skip
    assert standing(broken, HOME, "theirs", 0.99) is None
    found = fixed(broken, HOME, "theirs")
    assert found is not None
    assert sorted(found.point.failures) == [3]


def test_what_is_billed_above_the_linear_bound_is_of_its_own_level() -> None:
    bounds = [
        a_trial(LINEAR.name, level, seed, lp_gpu_hours=hours)
        for level, hours in ((0.99, 60.0), (0.95, 50.0))
        for seed in (1, 2, 3)
    ]
    ledger = a_ledger([*a_frontier(), *bounds], places=(a_place(),))
    ours = standing(ledger, HOME, "ours", 0.99)
    found = above_bound(ledger, HOME, ours, 0.99)
    assert ours is not None
    assert found is not None
    billed = ours.compared("gpu_hours_billed")
    assert found.mean == pytest.approx(sum(billed[seed] or 0 for seed in (1, 2, 3)) / 3 / 60 - 1)
    assert 78 < (billed[1] or 0) < 81, "it keeps more than was asked, so at the level it bills less"


def a_tier_record(met: list[float]) -> Record:
    tier = TierRecord(
        offered=(100,) * len(met), shed=(0,) * len(met), judged=(100.0,) * len(met), met=tuple(met)
    )
    return Record(
        start=0, step_seconds=900, pools={}, tiers={"interactive-fast": tier}, decisions=()
    )


@pytest.mark.parametrize(
    ("burst", "minutes"),
    [
        ([50.0, 100.0, 98.0, 100.0], 15),
        ([50.0, 98.0, 90.0, 90.0], 15),
        ([50.0, 60.0, 97.9, 98.0], 45),
        ([50.0] * 4, 60),
        ([100.0] * 4, 0),
    ],
)
def test_recovery_counts_the_minutes_until_the_promise_is_kept_as_before(
    burst: list[float], minutes: float
) -> None:
    record = a_tier_record([100.0, 98.0, 98.0, 90.0, *burst])
    assert recovery_minutes(record, 1) == pytest.approx(minutes)
    run = RunResult(figures={}, requests=1, cpu_seconds=1.0, record=record)
    assert figures_of(run, 1)[RECOVERY] == pytest.approx(minutes)


def test_recovery_is_the_mean_over_hours_and_unknown_without_any() -> None:
    record = a_tier_record([100.0] * 4 + [50.0, 50.0, 100.0, 100.0] + [100.0] * 4)
    assert recovery_minutes(record, 1) == pytest.approx((30 + 0) / 2)
    assert recovery_minutes(record, 0) is None
    assert recovery_minutes(record, 9) is None


def test_what_is_billed_on_a100s_is_told_apart() -> None:
    by_type = {f"gpu_hours_billed_by_vm_type.{t}": h for t, h in (("a100x4", 3.0), ("a100x8", 4.0))}
    run = RunResult(
        figures={**by_type, "gpu_hours_billed_by_vm_type.a40x1": 9.0}, requests=1, cpu_seconds=1.0
    )
    assert figures_of(run)[ON_A100] == 7.0
    assert ON_A100 not in figures_of(RunResult(figures={}, requests=1, cpu_seconds=1.0))


def test_a_curve_adds_up_all_pools_in_gpus() -> None:
    record = a_record()
    curve = curve_of(HOME, "ours", record)
    assert curve.ready[0] == sum(pool.gpus * pool.ready[0] for pool in record.pools.values())
    assert len(curve.busy) == len(next(iter(record.pools.values())).busy)
