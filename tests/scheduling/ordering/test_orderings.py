"""The rule of each ordering, and how near to the best of all orders each comes."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from heliostat.errors import InvalidInput
from heliostat.model.names import Tier
from scheduling.lengths.prediction import LengthPrediction
from scheduling.ordering.annealing import HELIOSTAT, PAPER, RANDOM_WALK, Annealing, Cooling
from scheduling.ordering.by_key import (
    BY_KEY,
    DPA,
    EDF,
    FCFS,
    LEAST_SLACK,
    PF,
    SJF,
    arrival,
    sorted_by,
)
from scheduling.ordering.exhaustive import Exhaustive
from scheduling.ordering.goal import Goal
from scheduling.ordering.port import Ordered, Ordering, Queue
from scheduling.ordering.registry import ORDERINGS
from scheduling.ordering.tables import places, tables_of
from scheduling.request import Promise
from tests.scheduling.ordering.builders import a_queue, a_request, chance, queues, until


def names(ordered: Ordered) -> list[str]:
    return [request.id for request in ordered.sequence]


@pytest.mark.parametrize("tokens", [float("nan"), float("inf"), 0.0])
def test_a_prediction_that_is_no_number_of_tokens_cannot_be_made(tokens: float) -> None:
    with pytest.raises(InvalidInput, match="prediction"):
        a_request(output=tokens)


def test_a_prompt_of_no_tokens_cannot_be_made() -> None:
    with pytest.raises(InvalidInput, match="input_tokens"):
        a_request(input_tokens=0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cap": 0}, "batch_cap"),
        ({"now": float("nan")}, "now"),
        ({"free_in_seconds": -1.0}, "free_in_seconds"),
        ({"free_in_seconds": float("nan")}, "free_in_seconds"),
    ],
)
def test_a_queue_that_makes_no_sense_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        a_queue(a_request(), **changes)


def test_nobody_waits_twice() -> None:
    with pytest.raises(InvalidInput, match="twice"):
        a_queue(a_request("a"), a_request("a"))


def test_the_exhaustive_order_knows_no_probabilities() -> None:
    with pytest.raises(InvalidInput, match="likely"):
        Exhaustive(goal=Goal.LIKELY)


def test_who_wants_the_exhaustive_order_of_nine_is_told_so() -> None:
    many = [a_request(str(number)) for number in range(9)]
    with pytest.raises(InvalidInput, match="8"):
        Exhaustive().order(a_queue(*many), chance())


def _by(ordering: Ordering, **requests: dict[str, Any]) -> list[str]:
    queue = a_queue(*(a_request(name, **changes) for name, changes in requests.items()))
    return names(ordering.order(queue, chance()))


def test_fcfs_goes_by_arrival() -> None:
    assert _by(FCFS, a={"arrival": -1.0}, b={"arrival": -2.0}) == ["b", "a"]


def test_sjf_goes_by_predicted_seconds() -> None:
    assert _by(SJF, a={"output": 300.0}, b={"output": 20.0}) == ["b", "a"]


def test_edf_goes_by_deadline() -> None:
    assert _by(EDF, a={"promise": until(30.0)}, b={}) == ["b", "a"]


def test_pf_goes_by_tier() -> None:
    assert _by(PF, a={"tier": Tier.BATCH, "arrival": -3.0}, b={}) == ["b", "a"]


def test_least_slack_goes_by_the_latest_start_and_puts_the_hopeless_last() -> None:
    too_fast = Promise(ttft_seconds=10.0, itl_seconds=0.001)
    order = _by(
        LEAST_SLACK, hopeless={"promise": too_fast}, loose={}, tight={"promise": until(5.0)}
    )
    assert order == ["tight", "loose", "hopeless"]


def test_dpa_serves_recently_expired_then_urgent_then_others_then_severely_expired() -> None:
    order = _by(
        DPA,
        others={"arrival": -1.0},
        urgent={"arrival": -6.0},
        recent={"arrival": -12.0},
        severe={"arrival": -40.0},
    )
    assert order == ["recent", "urgent", "others", "severe"]


@given(queue=queues(most=5, cap=3))
@settings(max_examples=20)
def test_no_order_is_better_than_the_exhaustive_one(queue: Queue) -> None:
    tables = tables_of(queue)
    best = 0.0
    for order in permutations(range(tables.count)):
        for cuts in range(1 << max(0, tables.count - 1)):
            first = [0, *(p for p in range(1, tables.count) if cuts >> (p - 1) & 1), tables.count]
            if tables.count and max(np.diff(first)) <= queue.batch_cap:
                best = max(best, tables.plan(places(order), places(first)).expected.gain)
    found = Exhaustive().order(queue, chance())
    assert found.expected.gain == pytest.approx(best)
    for name in ORDERINGS:
        gain = ORDERINGS[name].order(queue, chance()).expected.gain
        assert gain <= best * (1 + 1e-9)


@given(queue=queues(most=6))
@settings(max_examples=20)
def test_exhaustive_for_kept_promises_keeps_as_many_as_anybody(queue: Queue) -> None:
    most = Exhaustive(goal=Goal.KEPT).order(queue, chance()).expected.met
    assert all(o.order(queue, chance()).expected.met <= most for o in ORDERINGS.values())


@given(queue=queues(most=6))
@settings(max_examples=30)
def test_annealing_comes_near_the_exhaustive_order(queue: Queue) -> None:
    free = Annealing(starved_after=None)
    best = Exhaustive().order(queue, chance()).expected.gain
    assert free.order(queue, chance()).expected.gain >= 0.8 * best


def test_when_all_promises_hold_nothing_is_searched() -> None:
    queue = a_queue(a_request("a", output=400.0), a_request("b", output=10.0), cap=1)
    for ordering in (PAPER, RANDOM_WALK):
        luck = chance()
        ordered = ordering.order(queue, luck)
        assert ordered.expected.met == 2
        assert "from the start" in ordered.reason
        assert luck.bit_generator.state == chance().bit_generator.state


def test_annealing_keeps_a_promise_that_every_cheap_rule_breaks() -> None:
    """The long one has to come second: first or last it costs a promise."""
    queue = a_queue(
        a_request("short", output=60.0, promise=until(9.0)),
        a_request("long", output=150.0, promise=until(7.2)),
        a_request("late", output=40.0, promise=until(2.0)),
        cap=1,
    )
    assert PAPER.order(queue, chance()).expected.met == 3


def test_who_waited_twice_its_promise_goes_first() -> None:
    queue = a_queue(
        a_request("quick", output=5.0, arrival=95.0),
        a_request("starved", output=900.0, arrival=100.0 - 20.1),
        a_request("longer", output=900.0, arrival=100.0 - 20.2),
        a_request("nearly", output=900.0, arrival=100.0 - 19.9),
        now=100.0,
        cap=1,
    )
    assert names(PAPER.order(queue, chance()))[:2] == ["longer", "starved"]
    assert names(Annealing(starved_after=None).order(queue, chance()))[0] == "quick"


def test_with_a_share_the_starved_go_first_in_that_share_of_orders() -> None:
    queue = a_queue(
        a_request("quick", output=5.0, arrival=95.0),
        a_request("starved", output=900.0, arrival=0.0),
        a_request("other", output=900.0, arrival=1.0),
        now=100.0,
        cap=1,
    )
    gentle, luck = Annealing(starved_share=0.25), chance()
    heads = [names(gentle.order(queue, luck))[0] for _ in range(200)]
    assert 30 <= heads.count("starved") <= 70
    assert heads.count("quick") == 200 - heads.count("starved")


def test_heliostat_is_never_expected_to_keep_fewer_than_a_cheap_rule_when_lengths_are_known() -> (
    None
):
    luck = np.random.default_rng(3)
    for _ in range(20):
        requests = [
            a_request(
                str(number),
                output=float(luck.integers(1, 600)),
                promise=until(30.0) if number % 2 else a_request().promise,
            )
            for number in range(12)
        ]
        queue = a_queue(*requests, cap=int(luck.integers(1, 5)))
        ours = HELIOSTAT.order(queue, chance()).expected.met
        assert ours >= max(rule.order(queue, chance()).expected.met for rule in BY_KEY.values())


def test_a_batch_in_doubt_is_taken_to_last_longer_than_its_mean() -> None:
    """Eight of unknown length hold a batch up, so the one that has to end soon goes before them."""
    doubtful = [a_request(str(n), output=200.0, doubt=150.0) for n in range(7)]
    urgent = a_request("urgent", output=100.0, promise=until(4.6))
    ordered = HELIOSTAT.order(a_queue(*doubtful, urgent, cap=4), chance())
    assert urgent in ordered.batches[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"starts": ()},
        {"starved_after": 0.0},
        {"starved_share": 0.0},
        {"starved_share": 1.5},
        {"seconds_price": -1.0},
        {"seconds_price": float("nan")},
    ],
)
def test_settings_of_annealing_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="annealing"):
        Annealing(**changes)


@pytest.mark.parametrize(
    "changes", [{"hot": 0.01}, {"cold": 0.0}, {"decay": 1.0}, {"moves": 0}, {"hot": float("nan")}]
)
def test_a_cooling_that_would_not_end_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="cooling"):
        Cooling(**changes)


def test_a_prediction_may_be_in_doubt() -> None:
    assert LengthPrediction.exactly(5.0).deviation_tokens == 0


def test_who_is_not_contented_goes_on_shortening_when_all_promises_hold() -> None:
    """The short one is better off alone than with three that keep their batch for long."""
    queue = a_queue(*(a_request(str(n), output=100.0 if n else 5.0) for n in range(5)), cap=4)
    restless = Annealing(contented=False).order(queue, chance())
    contented = PAPER.order(queue, chance())
    assert contented.expected.met == restless.expected.met == 5
    assert restless.expected.seconds < contented.expected.seconds


def test_a_higher_price_of_seconds_buys_shorter_latencies() -> None:
    luck = np.random.default_rng(5)
    seconds = {0.0: 0.0, 20.0: 0.0}
    for _ in range(10):
        outputs = luck.integers(10, 600, 16)
        queue = a_queue(*(a_request(str(n), output=float(o)) for n, o in enumerate(outputs)), cap=4)
        for price in seconds:
            dear = replace(HELIOSTAT, starts=(sorted_by(arrival),), seconds_price=price)
            seconds[price] += dear.order(queue, chance()).expected.seconds
    assert seconds[20.0] < 0.95 * seconds[0.0]


def test_a_longer_queue_is_searched_longer() -> None:
    many = [a_request(str(n), output=300.0) for n in range(120)]
    few = PAPER.order(a_queue(*many[:40], cap=1), chance()).weighed
    assert 2 * few < PAPER.order(a_queue(*many, cap=1), chance()).weighed < 3 * few
