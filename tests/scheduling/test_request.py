"""What a dispatcher is told of a request, and what it refuses."""

from __future__ import annotations

import math

import pytest

from heliostat.errors import InvalidInput, UnknownModel, UnknownTier
from heliostat.model.names import Tier
from scheduling.lengths.prediction import LengthPrediction
from scheduling.request import promise_of
from tests.builders import a_catalogue
from tests.scheduling.builders import a_promise, a_request


@pytest.mark.parametrize("tokens", [0, -1, 10**7])
def test_a_prompt_of_an_impossible_length_is_refused(tokens: int) -> None:
    with pytest.raises(InvalidInput, match="input_tokens"):
        a_request(input_tokens=tokens)


@pytest.mark.parametrize("mean", [math.nan, math.inf, 0.0, -5.0, 1e9])
def test_a_prediction_that_is_no_length_is_refused(mean: float) -> None:
    with pytest.raises(InvalidInput, match="prediction"):
        LengthPrediction.exactly(mean)


def test_a_prediction_needs_a_quantile_and_a_deviation_that_can_be() -> None:
    with pytest.raises(InvalidInput):
        LengthPrediction(mean_tokens=10, high_tokens=20, quantile=1.0)
    with pytest.raises(InvalidInput):
        LengthPrediction(mean_tokens=10, high_tokens=20, deviation_tokens=-1)
    with pytest.raises(InvalidInput):
        LengthPrediction(mean_tokens=10, high_tokens=math.nan)


def test_a_request_has_an_id_and_an_instant() -> None:
    with pytest.raises(InvalidInput, match=r"request\.id"):
        a_request("")
    with pytest.raises(InvalidInput, match=r"request\.arrival"):
        a_request(arrival=math.inf)


def test_promises_are_positive_seconds() -> None:
    for wrong in ({"ttft_seconds": 0.0}, {"itl_seconds": math.nan}, {"e2e_seconds": -1.0}):
        with pytest.raises(InvalidInput, match="promise"):
            a_promise(**wrong)


def test_who_needs_a_prediction_says_so_when_there_is_none() -> None:
    with pytest.raises(InvalidInput, match="predicted"):
        _ = a_request(output=None).length
    assert (
        a_request(output=None).with_prediction(LengthPrediction.exactly(7)).length.mean_tokens == 7
    )


def test_the_catalogue_promises() -> None:
    catalogue = a_catalogue()
    model = catalogue.models[0]
    name, tier, promise = promise_of(catalogue, model.name, "interactive-fast", 60_000)
    assert (name, tier) == (model.name, Tier.INTERACTIVE_FAST)
    unloaded = catalogue.law(model.name, catalogue.vm_types[1].name).prefill_seconds(60_000)
    assert promise.ttft_seconds == pytest.approx(3 * unloaded)
    assert (promise.itl_seconds, promise.e2e_seconds) == (0.2, None)
    assert promise_of(catalogue, model.name, "batch", 10)[2].e2e_seconds == 86400


def test_unknown_models_and_tiers_are_named_with_those_that_exist() -> None:
    catalogue = a_catalogue()
    with pytest.raises(UnknownModel, match=str(catalogue.models[0].name)):
        promise_of(catalogue, "nobody's", "batch", 10)
    with pytest.raises(UnknownTier, match="interactive-fast"):
        promise_of(catalogue, catalogue.models[0].name, "platinum", 10)
