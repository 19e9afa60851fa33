"""The search for the smallest fleet: what it finds keeps promises, one replica less does not."""

from __future__ import annotations

import pytest

from heliostat.errors import InvalidInput
from simulation.fewest.contenders import CONTENDERS
from simulation.fewest.poisson import START, PoissonRequests
from simulation.fewest.searching import fewest, tried
from simulation.fewest.setting import REGION, SPELL, Setting
from simulation.fewest.sweeps import ALADDIN, REFERENCE, configured, decode_pool, over_rates
from simulation.workload.quantiles import LengthLaws, QuantileLaw

LENGTHS = LengthLaws(
    prompt=QuantileLaw(levels=(0.0, 0.5, 0.9, 0.99), values=(50, 500, 1500, 3000)),
    output=QuantileLaw(levels=(0.0, 0.5, 0.9, 0.99), values=(10, 80, 250, 400)),
)
SETTING = Setting(lengths=LENGTHS)
QUEUE = CONTENDERS["shortest queue"]


def test_promises_are_multiples_of_an_idle_reference_worker() -> None:
    slo, law = SETTING.slo(), SETTING.law(8)
    context = LENGTHS.prompt.mean + LENGTHS.output.mean / 2
    assert slo.itl_seconds == pytest.approx(3 * law.decode_seconds(1, context))
    assert slo.ttft_seconds(law.prefill_seconds(900)) == pytest.approx(3 * law.prefill_seconds(900))
    with pytest.raises(InvalidInput, match="slack"):
        Setting(lengths=LENGTHS, slack=1.0)
    with pytest.raises(InvalidInput, match="reference"):
        Setting(lengths=LENGTHS, reference_gpus=3)


def test_where_prompts_come_prefilled_first_tokens_take_no_time() -> None:
    split = Setting(lengths=LENGTHS, decode_only=True)
    assert split.law(8).prefill_seconds(4000) < 1e-4
    assert split.law(8).decode_base == SETTING.law(8).decode_base


def test_the_stream_is_the_same_for_everybody_and_ends() -> None:
    source = PoissonRequests(SETTING, 5.0, 1)
    again = PoissonRequests(SETTING, 5.0, 1)
    one, other = (each.between(START, START + SPELL) for each in (source, again))
    assert one.arrival_seconds.tolist() == other.arrival_seconds.tolist()
    assert len(one) == source.count
    assert 5 * SPELL.total_seconds() * 0.8 < source.count < 5 * SPELL.total_seconds() * 1.2
    assert len(source.between(START + SPELL, source.span.end)) == 0
    assert source.demands[0].origin == REGION
    assert source.known(REGION, START)
    assert not source.history().by_demand
    with pytest.raises(InvalidInput, match="per_second"):
        PoissonRequests(SETTING, 0.0, 1)


def test_the_fewest_reach_the_level_and_one_less_does_not() -> None:
    found = fewest(SETTING, QUEUE, gpus=8, per_second=8.0, target=0.95, seeds=(1, 2))
    assert found is not None
    assert found.attainment >= 0.95
    assert found.gpus_in_all == 8 * found.replicas
    less = tried(SETTING, QUEUE, gpus=8, replicas=found.replicas - 1, per_second=8.0, seeds=(1, 2))
    assert less.attainment < 0.95


def test_what_no_fleet_reaches_is_none() -> None:
    strict = Setting(lengths=LENGTHS, slack=1.05)
    assert fewest(strict, QUEUE, gpus=2, per_second=1.0, target=0.9, seeds=(1,)) is None
    for target, seeds in ((1.0, (1,)), (0.9, ())):
        with pytest.raises(InvalidInput, match="target"):
            fewest(SETTING, QUEUE, gpus=8, per_second=1.0, target=target, seeds=seeds)


def test_every_contender_is_searched_on_both_workers_at_every_level() -> None:
    some = {name: CONTENDERS[name] for name in ("best fit, careful", "shortest queue")}
    lax = Setting(lengths=LENGTHS, slack=5.0)
    points = list(over_rates(lax, (4.0,), contenders=some, levels=(0.9, 0.95), seeds=(1,)))
    picked = configured(lax, 4.0)
    assert picked is not None
    assert picked.candidate.gpus == 4
    assert {point.configuration for point in points} == {ALADDIN, REFERENCE}
    assert len(points) == 2 * 2 * 2
    for low, high in zip(points[::2], points[1::2], strict=True):
        assert (low.contender, low.level, high.level) == (high.contender, 0.9, 0.95)
        if low.found and high.found:
            assert low.found.replicas <= high.found.replicas
    assert sum(point.found is not None for point in points) >= 4


def test_a_worker_that_is_the_reference_is_searched_once() -> None:
    some = {"shortest queue": QUEUE}
    points = list(over_rates(SETTING, (4.0,), contenders=some, levels=(0.9,), seeds=(1,)))
    assert [point.configuration for point in points] == [REFERENCE]


def test_the_decode_pool_has_its_own_points() -> None:
    points = list(decode_pool(SETTING, (4.0,), seeds=(1,)))
    assert {point.contender for point in points} >= {"best fit", "shortest queue", "power of two"}
