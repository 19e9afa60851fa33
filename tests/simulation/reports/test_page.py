"""The page as text; tests/integration looks at it in a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from simulation.experiments.comparison import Contest, contest
from simulation.experiments.experiment import Findings
from simulation.experiments.sweep import Sweep
from simulation.reports.page import page
from simulation.reports.payload import payload
from simulation.reports.words import (
    billed_sentences,
    bound_sentences,
    floor_sentences,
    idle_sentences,
    lent_sentences,
    miss_sentences,
    owed_sentences,
)
from tests.simulation.reports.found import a_record, findings, with_figures


def test_the_page_asks_nobody_for_anything() -> None:
    text = page(findings())
    asked = re.findall(r"""(?:src|href|action|url)\s*[=(]\s*["']?([^"'\s>)]+)""", text)
    assert set(asked) <= {"data:,"}
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_the_same_findings_give_the_same_page() -> None:
    assert page(findings()) == page(findings())


def test_the_page_says_whether_policies_stand_at_equal_slo_or_at_one_headroom() -> None:
    found = findings()
    swept, fixed = (
        page(replace(found, experiment=replace(found.experiment, headroom=asked)))
        for asked in (Sweep(), 0.3)
    )
    assert "policies compared at equal SLO" in swept
    assert "At the cheapest headroom that keeps" in swept
    assert "policies compared at one headroom" in fixed
    assert "All at headroom 0.3: attainments differ" in fixed


def test_what_findings_say_cannot_become_markup() -> None:
    text = page(with_reason(findings(), "</script><script>alert(1)</script>"))
    assert "<script>alert" not in text
    assert "Made up &lt;for&gt; a test." in text


def with_reason(found: Findings, reason: str) -> Findings:
    def changed(one: Contest) -> Contest:
        points = tuple(
            replace(
                point,
                results={
                    seed: run if run.record is None else replace(run, record=a_record(reason))
                    for seed, run in point.results.items()
                },
            )
            for point in one.points
        )
        return replace(one, points=points)

    return replace(found, contests=tuple(changed(one) for one in found.contests))


def test_the_data_of_the_charts_is_json() -> None:
    text = page(findings())
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    told = json.loads(data)
    assert [one["name"] for one in told["policies"]] == ["heliostat", "reactive", "weak", "broken"]
    record = told["policies"][0]["record"]
    assert record["pools"]["east/alpha/small"]["busy"][0] == 16.0  # two replicas of eight GPUs
    assert len(record["decisions"]) == 160
    assert told["bound"]["lp_gpu_hours"]["mean"] == 82.0


def test_words_say_how_policies_differ_and_which_missed() -> None:
    first, second = billed_sentences(findings())
    assert first.startswith("heliostat bills 18.0% fewer GPU-hours than reactive (-30; 95% interv")
    assert "excludes zero" in first
    assert "than weak" in second
    assert second.endswith("not at equal SLO.")
    assert "equal" not in first
    above, oracle = bound_sentences(findings())
    assert "more GPU-hours than the LP bound" in above
    assert "fewer GPU-hours than the causal oracle" in oracle
    assert floor_sentences(findings()) == []
    missed = miss_sentences(findings())
    assert "weak did not reach 99%" in missed[0]
    assert "broken has no setting" in missed[1]
    assert "seed 1, 2026-03-02T12:30:00Z: ValueError: no (2 more runs failed)" in missed[2]
    assert len(missed) == 3


def test_a_policy_that_was_tried_at_one_headroom_missed_at_that_one() -> None:
    whole = findings()
    weak = whole.contests[2]
    only = contest(weak.policy, weak.points[-1:], 0.99, whole.experiment.cost)
    said = miss_sentences(replace(whole, contests=(only,)))
    assert said == ["weak did not reach 99% at headroom 0.1."]


def test_where_nearly_all_is_idle_it_is_said_that_policies_cannot_differ() -> None:
    idle = with_figures(findings(), gpu_hours_billed=100.0, idle_gpu_hours=96.0)
    (said,) = idle_sentences(idle)
    assert said.startswith("At least 96% of every bill is idle: minimum replicas dominate")
    assert said in page(idle)
    assert idle_sentences(with_figures(idle, idle_gpu_hours=60.0)) == []
    assert idle_sentences(with_figures(idle, gpu_hours_billed=0.0)) == []


def test_a_difference_that_may_be_none_is_told_as_none() -> None:
    wide = findings()
    first, second, *others = wide.contests
    noisy = tuple(
        replace(
            point,
            results={
                seed: replace(
                    run, figures={**run.figures, "gpu_hours_billed": 150.0 - 40 * (-1) ** seed}
                )
                for seed, run in point.results.items()
            },
        )
        for point in second.points
    )
    told = replace(wide, contests=(first, replace(second, points=noisy), *others))
    said = billed_sentences(told)[0]
    assert said.startswith("heliostat bills about as many GPU-hours as reactive (")
    assert "includes zero" in said


def test_what_hangs_on_lending_is_said_of_those_who_lend() -> None:
    whole = findings()
    assert lent_sentences(whole) == []
    one = with_figures(whole, gpu_hours_lent=20.0).contests[0]
    lending = replace(whole, contests=(one, *whole.contests[1:]))
    assert lent_sentences(lending) == [
        "heliostat lent 20 of its 137 billed GPU-hours; at half credit it would bill 127, at "
        "full credit 117."
    ]
    assert "at half credit it would bill 127" in page(lending)


@pytest.mark.parametrize(("owed", "said"), [(1.0, False), (20.0, True)])
def test_who_leaves_work_at_the_end_is_said_to_owe_it(owed: float, said: bool) -> None:
    whole = findings()
    one = with_figures(whole, gpu_hours_owed=owed).contests[0]
    leaving = replace(whole, contests=(one, *whole.contests[1:]))
    words = "heliostat owes 20 of its 137 billed GPU-hours for work left at the end"
    assert any(words in sentence for sentence in owed_sentences(leaving)) is said
    assert (words in page(leaving)) is said


def test_a_policy_that_reaches_with_its_least_headroom_is_said_to_keep_more_than_was_asked() -> (
    None
):
    whole = findings()
    easy = replace(whole.experiment, attainment=0.9)
    contests = tuple(
        contest(one.policy, one.points, easy.attainment, easy.cost) for one in whole.contests
    )
    said = floor_sentences(replace(whole, experiment=easy, contests=contests))
    assert said[0].startswith("heliostat already keeps 97.50% with the least headroom tried (0)")
    assert "a higher attainment than asked" in said[0]
    assert len(said) == 3


def test_what_is_owed_is_a_part_of_its_own_and_no_work() -> None:
    whole = findings()
    owing = replace(
        whole,
        contests=(with_figures(whole, gpu_hours_owed=20.0).contests[0], *whole.contests[1:]),
    )
    first, second, *_ = payload(owing)["policies"]
    assert first["figures"]["gpu_hours_owed"][0] == 20.0
    assert second["figures"]["gpu_hours_owed"] is None
    assert "+ owed: GPU-hours for requests that were still unserved" in page(owing)
    assert '<li class="k-owed">owed</li>' in page(owing)
    assert "k-owed" not in page(whole).split("</style>")[1]
