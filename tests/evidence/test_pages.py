"""Pages: rendered from ledgers alone, made end to end on a tiny scenario, and true to what is committed."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.evidence.__main__ import main
from benchmarks.evidence.adopting import LedgerFolder, adopted
from benchmarks.evidence.asking import asked_of
from benchmarks.evidence.carrying import Carrier
from benchmarks.evidence.checkout import Checkout
from benchmarks.evidence.judging import best_row, change_row, limit_row
from benchmarks.evidence.ledger import Ledger, Trial
from benchmarks.evidence.levers import Lever, earning
from benchmarks.evidence.making import Maker
from benchmarks.evidence.measured import Measurements
from benchmarks.evidence.page import EvidencePage, Shown
from benchmarks.evidence.pages.sageserve_claims import order_claims
from benchmarks.evidence.pages.sageserve_wants import PEAK_DAY
from benchmarks.evidence.progress import Progress
from benchmarks.evidence.reading import fixed, standing
from benchmarks.evidence.registry import PAGES
from benchmarks.evidence.scale import Scale
from benchmarks.evidence.tables import claims_table, standings_table
from benchmarks.evidence.verdicts import Verdict
from benchmarks.evidence.wanted import Match, Measured, rival
from benchmarks.evidence.writing import read_ledger, rests_on, write_page
from heliostat.errors import InvalidInput
from simulation.experiments.executors import make_executor
from simulation.experiments.folder import RunFolder
from simulation.experiments.intervals import Estimate
from simulation.experiments.laboratory import Laboratory
from simulation.experiments.scenes import scene_ref
from simulation.experiments.spec import FLUID, RunSpec
from simulation.policies.registry import PLUGINS
from simulation.scenarios.finding import find_scenario
from tests.evidence.ledgers import HOME, a_ledger, a_place, a_trial
from tests.simulation.experiments.little import a_history

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "evidence"
SCENARIOS = ROOT / "benchmarks" / "evidence" / "scenarios"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_without_any_run_says_so_instead_of_breaking(name: str, tmp_path: Path) -> None:
    ledger = replace(a_ledger([], complete=False, places=()), page=name, places=())
    text = write_page(PAGES[name], ledger, tmp_path).read_text()
    assert "No runs exist for this page yet" in text
    assert f"**{Verdict.NOT_RUN}**" in text
    assert f"**{Verdict.UNTESTED}**" not in text
    assert Verdict.HOLDS + "**" not in text


@pytest.mark.parametrize("name", sorted(PAGES))
def test_what_a_page_wants_can_be_made(name: str) -> None:
    for wanted in PAGES[name].wants:
        if isinstance(wanted, Measured):
            continue
        assert wanted.policies
        assert {one.policy for one in wanted.policies} <= set(PLUGINS)


def test_the_committed_pages_are_what_their_results_say(tmp_path: Path) -> None:
    kept = sorted((DOCS / "results").glob("*.json"))
    assert kept
    for path in kept:
        page, ledger = PAGES[path.stem], read_ledger(path.stem, DOCS)
        text = write_page(page, ledger, tmp_path).read_text("utf-8")
        assert text == (DOCS / f"{path.stem}.md").read_text("utf-8"), "make evidence ARGS=--render"
        for picture in page.show(ledger).pictures:
            drawn = (tmp_path / "pictures" / picture).read_bytes()
            assert drawn == (DOCS / "pictures" / picture).read_bytes(), picture


def test_pictures_are_xml_and_stand_where_the_page_looks_for_them() -> None:
    for page in sorted(DOCS.glob("*.md")):
        for part in page.read_text("utf-8").split("](pictures/")[1:]:
            picture = DOCS / "pictures" / part.partition(")")[0]
            assert ET.parse(picture).getroot().tag.endswith("svg")


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_pages_own_scenarios_are_whole(path: Path) -> None:
    if not path.stem.endswith("-fleet"):
        assert scene_ref(str(path)).name == path.stem


@pytest.mark.parametrize(("day", "whole"), [("peak-day", "week"), ("small-day", "small")])
def test_the_day_on_which_settings_are_searched_has_the_fleet_of_the_whole(
    day: str, whole: str
) -> None:
    searched = find_scenario(str(SCENARIOS / f"{day}.yaml"))
    compared = find_scenario(whole)
    assert searched.fleet == compared.fleet
    assert compared.begins <= searched.begins < searched.ends <= compared.ends


def tiny() -> EvidencePage:
    """The chiron page on two of its policies, without levers: what a run costs, not what it means."""
    policies = (rival("chiron"), rival("reactive"))
    return replace(
        PAGES["chiron"],
        wants=(Match(scenario="chiron-mixed", policies=policies, levels=(0.9,)),),
    )


def toss(seed: int) -> list[Trial]:
    """Measures something that is no simulated run."""
    return [
        Trial(
            scenario="a toss", policy=side, headroom=0.0, seed=seed, figures={"won": seed + bonus}
        )
        for side, bonus in (("heads", 0.5), ("tails", 0.0))
    ]


def tossed(ledger: Ledger) -> Shown:
    heads, tails = (fixed(ledger, "a toss", side) for side in ("heads", "tails"))
    row = change_row("heads win", heads, tails, "won", 0.1)
    return Shown(values={"claims": claims_table([row])})


class StandsStill(Checkout):
    """Code that nobody changes meanwhile."""

    def check(self) -> None:
        pass


def made(
    folder: Path, scale: str, page: EvidencePage | None = None, runs: RunFolder | None = None
) -> tuple[Progress, str]:
    progress = Progress(1, out=io.StringIO())
    runs = runs or RunFolder(path=folder / "runs", code="abc")
    laboratory = Laboratory(make_executor("serial", 1, FLUID), runs, progress)
    maker = Maker(
        page=page or tiny(),
        carrier=Carrier(laboratory, (1, 2), progress, folder=runs, engine=FLUID),
        scale=Scale(scale),
        progress=progress,
        checkout=StandsStill(code="abc", commit="123"),
        measurements=Measurements(path=folder / "runs", code="abc"),
        out=folder / "out",
    )
    maker.expect()
    path = maker.make()
    return progress, path.read_text("utf-8")


def test_a_page_is_run_written_and_taken_up_again(tmp_path: Path) -> None:
    a_history(tmp_path, minutes=15)
    scenario = str(tmp_path / "little.npz")
    first, text = made(tmp_path, scenario)
    assert first.made > 4
    assert "`little` (for `chiron-mixed`)" in text
    assert "Preliminary: `little` stands in for `chiron-mixed`" in text
    again, same = made(tmp_path, scenario)
    assert (again.made, again.runs) == (0, first.runs)
    assert same == text
    ledger = read_ledger("chiron", tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    write_page(tiny(), ledger, tmp_path / "out")
    assert before == {path: path.read_bytes() for path in before}


def test_runs_are_taken_up_from_the_results_of_the_very_same_code(tmp_path: Path) -> None:
    a_history(tmp_path, minutes=15)
    scenario = str(tmp_path / "little.npz")
    out = tmp_path / "out"
    first, text = made(tmp_path, scenario)
    told = read_ledger("chiron", out).trials
    assert adopted(out, PAGES, "another code") == {}
    known = adopted(out, PAGES, "abc")
    elsewhere = LedgerFolder(path=tmp_path / "elsewhere", code="abc", adopted=known)
    again, same = made(tmp_path, scenario, runs=elsewhere)
    assert (again.made, again.runs) == (0, first.runs)
    assert same == text
    assert read_ledger("chiron", out).trials == told
    spec = RunSpec(
        scene=scene_ref(scenario),
        policy=rival("chiron"),
        headroom=next(trial.headroom for trial in told if trial.policy == "chiron"),
        seed=1,
        engine=FLUID,
    )
    assert elsewhere.find(spec) is not None
    assert not elsewhere.holds(spec)
    assert elsewhere.find(replace(spec, recorded=True)) is None, "results hold no course of a run"


def test_a_page_may_measure_what_is_no_simulated_run(tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "toss.md").write_text("{{ rests_on }}\n\n{{ claims }}\n")
    measured = Measured(scenario="a toss", measure=toss, said=("The coin is fair.",))
    page = EvidencePage(name="toss", wants=(measured,), show=tossed, templates=templates)
    first, text = made(tmp_path, "full", page)
    assert (first.made, first.runs) == (2, 2)
    assert "4 runs on `a toss`; 2 seeds" in text
    assert "heads win" in text
    again, same = made(tmp_path, "full", page)
    assert (again.made, again.runs) == (0, 2)
    assert same == text


def test_a_checkout_that_changed_meanwhile_is_noticed() -> None:
    now = Checkout.now()
    now.check()
    with pytest.raises(InvalidInput, match="changed while it ran"):
        replace(now, code="another").check()


def test_rendering_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--render", "chiron", "--out", str(tmp_path)]) == 1
    assert "run the page without --render once" in capsys.readouterr().err


def test_what_is_typed_is_checked() -> None:
    known = ("a", "b")
    asked = asked_of(["b", "--seeds", "3"], known)
    assert (asked.pages, asked.seeds, asked.scale) == (("b",), (1, 2, 3), "full")
    assert asked_of([], known).pages == known
    with pytest.raises(InvalidInput, match="'c' is unknown"):
        asked_of(["c"], known)
    with pytest.raises(InvalidInput, match="at least one"):
        asked_of(["--seeds", "0"], known)
    with pytest.raises(InvalidInput, match="neither full, small nor a file"):
        Scale("huge")


def test_a_bill_that_is_an_upper_limit_tells_nothing_where_the_verdict_hangs_on_it() -> None:
    """Who keeps more than was asked at the foot of its grid may be cheaper than it is shown."""

    def asked(name: str, kept: float, billed: float) -> list[Trial]:
        grid = ((0.0, 0.0), (0.4, 30.0))
        return [
            a_trial(name, h, s, kept=kept, billed=billed + more + s)
            for h, more in grid
            for s in (1, 2, 3)
        ]

    ledger = a_ledger(
        [*asked("floored", 0.998, 100), *asked("cheap", 0.991, 80), *asked("dear", 0.991, 130)]
    )
    floored, cheap, dear = (standing(ledger, HOME, n, 0.99) for n in ("floored", "cheap", "dear"))
    limit = (
        "`floored` already keeps 99.80 % with the least headroom tried, "
        "so its bill is only an upper limit."
    )
    lost = change_row("", floored, cheap, "gpu_hours_billed", -0.25)
    assert (lost.verdict, lost.reason) == (Verdict.UNTESTED, limit)
    won = change_row("", cheap, floored, "gpu_hours_billed", -0.1)
    assert (won.verdict, won.reason) == (Verdict.UNTESTED, limit)
    assert change_row("", floored, dear, "gpu_hours_billed", -0.1).verdict is Verdict.HOLDS
    assert change_row("", dear, floored, "gpu_hours_billed", -0.1).verdict is Verdict.NOT


def test_rows_say_why_in_the_words_of_their_figures() -> None:
    ledger = a_ledger(
        [
            *(a_trial("ours", 0.4, s, kept=0.991, billed=80 + s) for s in (1, 2, 3)),
            *(a_trial("theirs", 0.4, s, kept=0.992, billed=100 + s) for s in (1, 2, 3)),
            *(a_trial("late", 0.4, s, kept=0.9, billed=50) for s in (1, 2, 3)),
        ]
    )
    ours, theirs, late = (standing(ledger, HOME, n, 0.99) for n in ("ours", "theirs", "late"))
    row = change_row("fewer", ours, theirs, "gpu_hours_billed", -0.25, because="So it is.")
    assert (row.verdict, row.asked) == (Verdict.IN_PART, "−25.0 %")
    assert "only 78 % of the claimed one" in row.reason
    assert row.reason.endswith("So it is.")
    assert change_row("", ours, theirs, "gpu_hours_billed", -0.19).verdict is Verdict.HOLDS
    coarse = change_row("", ours, theirs, "gpu_hours_billed", -0.25, resolution=0.25)
    assert (coarse.verdict, coarse.reason) == (Verdict.UNTESTED, "The interval includes both zero "
        "and the claim; more seeds are needed.")  # fmt: skip
    missed = change_row("", late, theirs, "gpu_hours_billed", -0.25)
    assert missed.verdict is Verdict.NOT
    assert "`late` misses the level at every headroom tried (90.00 % at best)" in missed.reason
    absent = change_row("", None, theirs, "gpu_hours_billed", -0.25)
    assert (absent.verdict, absent.found) == (Verdict.NOT_RUN, "–")
    assert limit_row("", None, None, 0.3).verdict is Verdict.NOT_RUN
    assert limit_row("", ours, None, 0.3).verdict is Verdict.UNTESTED
    lonely = best_row("", ours, [theirs, None], "gpu_hours_billed", asked="least")
    assert (lonely.verdict, lonely.reason) == (
        Verdict.NOT_RUN,
        "Better than theirs, not every baseline was run.",
    )
    best = best_row("", ours, [theirs], "gpu_hours_billed", asked="least")
    assert best.verdict is Verdict.HOLDS
    assert best.reason == "Better than theirs."
    worst = best_row("", theirs, [ours], "gpu_hours_billed", asked="least")
    assert worst.verdict is Verdict.NOT
    limit = limit_row("", ours, Estimate(mean=0.2, low=0.1, high=0.35, count=3), 0.3)
    assert (limit.verdict, limit.asked) == (Verdict.IN_PART, "≤ 30 %")
    flattered = limit_row("", late, Estimate(mean=0.1, low=0.1, high=0.1, count=3), 0.3)
    assert flattered.verdict is Verdict.NOT


def test_nothing_is_judged_by_a_search_that_has_not_ended() -> None:
    trials = [
        *(a_trial("ours", 0.4, s, kept=0.9, billed=80) for s in (1, 2, 3)),
        *(a_trial("theirs", 0.4, s, kept=0.992, billed=100) for s in (1, 2, 3)),
    ]
    ledger = a_ledger(trials, settled=False)
    ours, theirs = (standing(ledger, HOME, name, 0.99) for name in ("ours", "theirs"))
    for row in (
        change_row("", ours, theirs, "gpu_hours_billed", -0.25),
        limit_row("", ours, Estimate(mean=0.1, low=0.1, high=0.1, count=3), 0.3),
    ):
        assert row.verdict is Verdict.NOT_RUN
        assert (row.found, row.reason) == ("–", "The search for its settings has not finished.")
    assert earning(Lever(name="", with_it=ours, without_it=theirs)) == "search not finished"
    assert "| ours … |" in standings_table([("ours", ours)], theirs)


def test_what_a_page_rests_on_names_who_stood_in() -> None:
    trials = [a_trial("ours", 0.4, 1, scenario="week")]
    told = rests_on(a_ledger(trials, seeds=(1,), places=(a_place("week", name="small"),)))
    assert "1 runs on `small` (for `week`); one seed" in told
    assert "**Preliminary: `small` stands in for `week`.**" in told
    whole = rests_on(a_ledger(trials, places=(a_place("week"),)))
    assert "Preliminary" not in whole
    assert "still missing" not in whole


def test_every_order_is_judged_by_what_one_tier_gains_and_what_the_other_pays() -> None:
    kept = {"order fcfs": (0.8, 0.98), "order edf": (0.9, 0.94)}
    trials = [
        a_trial(
            order,
            0.0,
            seed,
            scenario=PEAK_DAY,
            **{
                "slo_attainment.interactive-fast": fast + 0.001 * seed,
                "slo_attainment.interactive-normal": normal + 0.001 * seed,
            },
        )
        for order, (fast, normal) in kept.items()
        for seed in (1, 2, 3)
    ]
    rows = {row.claim: row for row in order_claims(a_ledger(trials))}
    assert len(rows) == 6
    gained = rows["order EDF: violations of IW-F against FCFS"]
    assert gained.asked == "−31.1 %"
    assert gained.verdict is Verdict.HOLDS
    paid = rows["order EDF: violations of IW-N against FCFS"]
    assert paid.asked == "+36.0 %"
    assert paid.verdict is Verdict.HOLDS
    untested = rows["order PF: violations of IW-N against FCFS"]
    assert untested.verdict is Verdict.NOT_RUN
