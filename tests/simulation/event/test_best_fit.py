"""Placement by promises and memory inside the event engine: best fit, its oracle rival, and freeness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from heliostat.catalogue import FleetCatalogue, parse_catalogue
from heliostat.errors import InvalidInput
from scheduling.placement.margins import Margins
from simulation.engine import Change
from simulation.event.arrays import Arrays
from simulation.event.best_fit import _absorbed
from simulation.event.compiled import entry
from simulation.local_policy import Dispatch, Fit, LocalPolicy, Prefill
from tests.builders import NOON, a_pool, catalogue_mapping
from tests.simulation.event.builders import Listed, Run, change, columns, poisson, ready, seconds

FITTING = (Dispatch.BEST_FIT, Dispatch.KV_BEST_FIT, Dispatch.FREENESS)
TOLD = Fit(length_error=0.0)


def tight_catalogue(kv_gigabytes: float = 4.0) -> FleetCatalogue:
    """Memory for 12,207 tokens on a replica: three requests or so."""
    mapping = catalogue_mapping()
    for model in mapping["models"]:
        for law in model["engines"].values():
            law["kv_gb"] = kv_gigabytes
    return parse_catalogue(mapping)


def stream(per_second: float = 20.0, minutes: int = 4) -> Listed:
    rng = np.random.default_rng(11)
    drawn = poisson(rng, per_second=per_second, seconds=60.0 * (minutes - 2), mix=(0.5, 0.5, 0.0))
    return Listed(drawn, minutes)


def busy_replicas(dispatch: Dispatch, *, fit: Fit | None = None) -> int:
    """Of eight, how many work when one would do."""
    spaced = np.arange(0.0, 59.0, 0.5)
    policy = LocalPolicy(dispatch=dispatch, fit=fit or Fit())
    run = Run(Listed(columns(spaced, 500, 60), 1), ready(8), policy, minutes=0)
    most = 0
    while run.now < run.engine.span.end:
        run.go_on()
        gauge = run.engine.gauge(a_pool())
        assert gauge is not None
        most = max(most, gauge.interactive_busy_replicas or 0)
    return most


def test_best_fit_packs_what_least_work_spreads() -> None:
    assert busy_replicas(Dispatch.BEST_FIT) == 1
    assert busy_replicas(Dispatch.BEST_FIT, fit=TOLD) == 1
    assert busy_replicas(Dispatch.KV_BEST_FIT) == 1
    assert busy_replicas(Dispatch.LEAST_WORK) > 3
    assert busy_replicas(Dispatch.FREENESS) > 3


@pytest.mark.parametrize("dispatch", FITTING)
@pytest.mark.parametrize("prefill", list(Prefill))
def test_everybody_is_served_once_and_counters_return_to_zero(
    dispatch: Dispatch, prefill: Prefill
) -> None:
    source = stream()
    leaves = [change("vm-3", Change.DRAINING, NOON + seconds(40))]
    leaves += [change("vm-2", Change.FAILED, NOON + seconds(50))]
    changes = [*ready(12), *leaves]
    run = Run(source, changes, LocalPolicy(dispatch=dispatch, prefill=prefill))
    tally = run.tally()
    assert tally.completed + tally.shed == len(source.columns)
    assert tally.completed > 0.99 * len(source.columns)
    standing = run.engine._arrays["replicas"]
    serving = standing[(standing["standing"] == 1)]
    assert len(serving) == 10
    for name in ("prompts", "expected", "waiting_tokens", "waiting", "held"):
        assert not serving[name].any()


def kept(dispatch: Dispatch, replicas: int, fit: Fit | None = None) -> float:
    """The share of promises kept by so many replicas, under a load for six."""
    policy = LocalPolicy(dispatch=dispatch, fit=fit or Fit())
    tally = Run(stream(), ready(replicas), policy).tally()
    return tally.met / tally.completed


def test_who_is_told_lengths_keeps_every_promise_that_it_made() -> None:
    assert kept(Dispatch.BEST_FIT, 12, Fit(margins=Margins(foresight=0.5), length_error=0.0)) > 0.99


def test_heeding_what_was_saved_makes_up_for_not_knowing_lengths() -> None:
    hopeful = kept(Dispatch.BEST_FIT, 12)
    careful = kept(Dispatch.BEST_FIT, 12, Fit(margins=Margins(foresight=0.1)))
    assert hopeful < 0.97 < 0.985 < careful


def test_spreading_keeps_more_promises_than_packing_where_replicas_are_few() -> None:
    packed, spread = (
        kept(Dispatch.BEST_FIT, 6, Fit(margins=Margins(foresight=0.1, spread_beyond=beyond)))
        for beyond in (9.0, 2.0)
    )
    assert spread > packed


def test_who_is_told_lengths_never_overfills_memory() -> None:
    policy = LocalPolicy(
        dispatch=Dispatch.KV_BEST_FIT, fit=Fit(margins=Margins(memory_share=1.0), length_error=0.0)
    )
    catalogue = tight_catalogue()
    source = stream(8.0)
    told = Run(source, ready(8), policy, catalogue=catalogue).tally()
    chance = Run(source, ready(8), LocalPolicy(dispatch=Dispatch.RANDOM), catalogue=catalogue)
    assert told.completed == told.offered
    assert told.preempted == 0
    assert chance.tally().preempted > 5


def test_time_that_batch_work_was_out_of_a_batch_is_no_stall_of_it() -> None:
    """Row (c) of a sequence that gave way for long is that of one that never did."""
    source = Listed(columns([1.0], 100, 10_000, 2), 2)
    run = Run(source, ready(1), LocalPolicy(dispatch=Dispatch.BEST_FIT))
    arrays, at = run.engine._arrays, 120.0
    slot = int(np.argmax(arrays["replicas"]["running"]))
    (row,) = np.flatnonzero(arrays["requests"]["first_after"] > 0)
    asked = arrays["requests"][row]
    binds = [stall for stall in range(0, 20_000, 10) if not _row_c(arrays, slot, float(stall), at)]
    assert binds, "no stall is too long for it"
    away = 2.0 * binds[0]
    asked["arrival"] -= away
    assert _row_c(arrays, slot, float(binds[0]), at), "late already, it binds nobody"
    arrays["absences"]["seconds"][row] = away
    assert not _row_c(arrays, slot, float(binds[0]), at)


def _compiled(sources: int) -> Callable[..., bool]:
    def row_c(world: Any, slot: int, stall: float, at: float) -> bool:
        assert sources >= 0
        return bool(_absorbed(world[0], slot, stall, 0.05, 0.05, at))

    return row_c


_row_c_of = entry(_compiled)


def _row_c(arrays: Arrays, slot: int, stall: float, at: float) -> bool:
    return bool(_row_c_of(arrays.world, slot, stall, at))


def test_where_nobody_fits_the_one_with_least_work_takes_it() -> None:
    # Promises that no replica keeps to all: best fit finds none for most and falls back, nobody is
    # left behind.
    rush = Listed(columns(np.full(60, 1.0), 2000, 20, 0), 3)
    fits = Run(rush, ready(2), LocalPolicy(dispatch=Dispatch.BEST_FIT)).tally()
    assert fits.completed == 60


def test_an_error_of_lengths_is_a_share() -> None:
    for wrong in (-0.1, 1.1):
        with pytest.raises(InvalidInput, match="length_error"):
            Fit(length_error=wrong)
