"""The page on what the others rest on says of each which code ran it, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.evidence.__main__ import main
from benchmarks.evidence.basis import PAGE, basis
from benchmarks.evidence.registry import PAGES
from benchmarks.evidence.writing import write_ledger
from simulation.experiments.result import OWED
from tests.evidence.ledgers import a_ledger, a_place, a_trial

DOCS = Path(__file__).parents[2] / "docs" / "evidence"


def test_the_committed_page_is_what_the_results_say(tmp_path: Path) -> None:
    (tmp_path / "results").symlink_to(DOCS / "results")
    assert main(["--render", "--out", str(tmp_path)]) == 0
    assert (tmp_path / PAGE).read_text() == (DOCS / PAGE).read_text(), "make evidence ARGS=--render"


def test_every_page_is_named() -> None:
    text = (DOCS / PAGE).read_text()
    assert all(f"[{name}]({name}.md)" in text for name in PAGES)


def test_each_state_is_said() -> None:
    trial = a_trial("ours", 0.4, 1, scenario="week")
    billed = replace(trial, figures={**trial.figures, OWED: 0.0})
    whole = replace(a_ledger([billed], places=(a_place("week"),)), commit="abc", code="c0de")
    row = basis([whole]).splitlines()[-1]
    assert "| `abc` | `c0de` | complete |" in row
    assert "to be repeated" in basis([replace(whole, trials=(trial,))])
    assert "**incomplete**" in basis([replace(whole, complete=False)])
    stood_in = replace(whole, places=(a_place("week", name="small"),))
    assert "**preliminary**: `small` stands in" in basis([stood_in])
    assert "| unknown |" in basis([replace(whole, commit="")])
    assert basis([replace(whole, trials=())]).splitlines()[-1].endswith("| **not run yet** |")


def test_it_is_written_with_every_page_that_is_rendered(tmp_path: Path) -> None:
    write_ledger(replace(a_ledger([]), page="chiron", places=()), tmp_path)
    assert main(["--render", "chiron", "--out", str(tmp_path)]) == 0
    assert "not run yet" in (tmp_path / PAGE).read_text()
