"""Laws of several regions become one, and one that cannot be is not believed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heliostat.model.fleet import Fleet
from heliostat.model.measured_law import MeasuredLaw
from heliostat.model.names import PoolKey, RegionName
from scheduling.laws.law import WorkerLaw
from scheduling.sizing.refitted import refitted
from scheduling.sizing.served import ServedByPlacement
from tests.builders import NOON, a_catalogue

CATALOGUE = a_catalogue()
MODEL = CATALOGUE.models[0]
SPEC = MODEL.tiers[0]
VM_TYPE = next(iter(MODEL.engines))
LAW = MODEL.engines[VM_TYPE]
MIX = MODEL.assumed_mix(SPEC)
KEY = (MODEL.name, VM_TYPE)


def measured(region: str = "east", slower: float = 1.0, **changes: Any) -> MeasuredLaw:
    """Times as the catalogue has them, times `slower`."""
    values: dict[str, Any] = {
        "pool": PoolKey(region=RegionName(region), model=MODEL.name, vm_type=VM_TYPE),
        "prefill_base": slower * LAW.prefill_base,
        "prefill_per_token": slower * LAW.prefill_per_token,
        "prefill_per_token_beyond_knee": slower * LAW.prefill_per_token_beyond_knee,
        "decode_base": slower * LAW.decode_base,
        "decode_per_sequence": slower * LAW.decode_per_sequence,
        "decode_per_sequence_kilotoken": slower * LAW.decode_per_sequence_kilotoken,
        "error": 0.0,
        "prefills": 50,
        "iterations": 50,
        "prefill_ratio": slower,
        "iteration_ratio": slower,
    }
    return MeasuredLaw(**(values | changes))


def rate(*laws: MeasuredLaw) -> float:
    """Requests per second that a replica serves as these regions measured it."""
    source = ServedByPlacement().seeing(Fleet(at=NOON, pools=(), laws=laws))
    served = source.requests_per_second(MODEL, VM_TYPE, SPEC, MIX)
    assert served is not None
    return served


def said(*laws: MeasuredLaw) -> str:
    return ServedByPlacement().seeing(Fleet(at=NOON, pools=(), laws=laws)).basis(MODEL, VM_TYPE)


def test_without_a_refitted_law_the_catalogues_counts_and_is_named() -> None:
    assert said() == "θ by placement on the catalogue's law"
    assert rate() == rate(measured())


def test_a_slower_engine_serves_less_and_its_region_is_named() -> None:
    assert rate(measured(slower=1.3)) < rate()
    told = said(measured("west", error=0.06), measured("east"))
    assert told == "θ by placement on the law refitted in east, west (200 observations, error 6%)"


def test_the_error_of_a_law_is_room_that_is_left() -> None:
    assert rate(measured(error=0.2)) == pytest.approx(rate(measured(slower=1.2)), rel=1e-6)


def test_regions_count_by_what_their_laws_rest_on() -> None:
    few = measured("west", 1.4, prefills=0, iterations=20)
    both = refitted([measured(), few])[KEY].over(WorkerLaw.of(LAW))
    assert both.decode_base == pytest.approx((100 + 20 * 1.4) / 120 * LAW.decode_base)
    assert both.kv_bytes_available == LAW.kv_bytes_available


def test_a_law_that_rests_on_nothing_makes_the_others_no_slower() -> None:
    nothing = measured("west", prefills=0, iterations=0)
    one = measured("east", prefills=1, iterations=0)
    for laws in ([nothing], [nothing, one], [nothing, measured("east")]):
        both = refitted(laws)[KEY].over(WorkerLaw.of(LAW))
        assert both.decode_base == pytest.approx(LAW.decode_base)
        assert both.prefill_per_token == pytest.approx(LAW.prefill_per_token)


@pytest.mark.parametrize(
    "odd",
    [
        {"slower": 5.0},
        {"slower": 0.2},
        {"slower": 2.0, "error": 1.5},
    ],
)
def test_times_far_from_the_catalogues_are_not_believed(odd: dict[str, Any]) -> None:
    law = measured(**odd)
    assert rate(law) == rate()
    assert "differs too much" in said(law)
    assert "catalogue" in said(law)


def test_laws_of_other_models_say_nothing() -> None:
    (other,) = (one for one in CATALOGUE.models if one.name != MODEL.name)
    stranger = replace(measured(), pool=replace(measured().pool, model=other.name))
    assert said(stranger) == said()
