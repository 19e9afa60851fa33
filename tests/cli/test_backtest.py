"""`heliostat backtest`: the history of a database, run again under other policies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from migrations.running import upgrade
from simulation.history import past_batches
from storage.opening import open_stores
from tests.builders import catalogue_mapping
from tests.cli.running import Ran, heliostat
from tests.simulation.experiments.little import little_arrivals


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with two hours of history until 13:00, a catalogue and two policies."""
    folder = tmp_path_factory.mktemp("operator")
    url = f"sqlite:///{folder / 'plane.db'}"
    upgrade(url)
    opened = open_stores(url)
    for batch in past_batches(little_arrivals(before=60, minutes=60)):
        opened.stores.usage.record([batch])
    opened.close()
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(catalogue_mapping()))
    (folder / "ours.yaml").write_text("policy: heliostat\nheadroom: 0.4\n")
    (folder / "before.yaml").write_text(
        "policy: reactive\nheadroom: 0.4\nguardrails: {largest_step_in: 1}\n"
    )
    return folder


def backtest(place: Path, *more: object, start: str = "2026-03-02T12:07Z") -> Ran:
    return heliostat(
        "backtest",
        *("--database", f"sqlite:///{place / 'plane.db'}"),
        *("--catalogue", place / "catalogue.yaml", "--executor", "serial", "--seeds", 1),
        *("--no-bounds", "--engine", "fluid"),
        *("--policy", place / "ours.yaml", "--policy", place / "before.yaml"),
        *("--from", start, "--to", "2026-03-02T13:00Z"),
        *more,
    )


def test_history_is_run_again_and_policies_compared(place: Path) -> None:
    ran = backtest(place)
    assert ran.code == 0, ran.err
    assert "ours bills" in ran.out
    assert "than before" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_every_request_of_the_history_is_offered_and_what_is_assumed_is_said(
    place: Path, tmp_path: Path
) -> None:
    found = tmp_path / "f.json"
    assert backtest(place, "--json", found).code == 0
    told = json.loads(found.read_text())
    assert told["begins"] == "2026-03-02T12:00:00Z"  # whole quarters
    assert told["policies"]["ours"]["offered"]["mean"] == 4 * 60 * 240
    said = " ".join(told["assumes"])
    assert "Shed requests are offered again" in said
    assert "scaled to the tokens of each minute" in said
    assert "Lead times are the catalogue's" in said
    assert "2026-03-02T11:00Z to 2026-03-02T12:00Z is available as history" in said


def test_the_same_history_is_the_same_scenario(place: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    first = backtest(place, "--resume", kept)
    again = backtest(place, "--resume", kept)
    assert "(found)" not in first.err
    assert again.err.count("(found)") == 2


@pytest.mark.parametrize(
    ("start", "more", "code", "words"),
    [
        ("2026-03-01T12:00Z", (), 65, "the history begins 2026-03-02T11:00Z"),
        (
            "2026-03-02T14:00Z",
            (),
            65,
            "--to: 2026-03-02T13:00Z is not after 2026-03-02T14:00Z, the instant of --from",
        ),
        ("2026-03-02T13:00Z", (), 65, "--to: 2026-03-02T13:00Z is not after"),
        (
            "2026-03-02T12:46Z",
            ("--to", "2026-03-02T12:50Z"),
            65,
            "--to: is in the same 15 minutes as --from",
        ),
        ("yesterday", (), 65, "not an instant"),
        ("2026-03-02T12:00Z", ("--database", "memory"), 78, "memory has no history"),
        (
            "2026-03-02T12:00Z",
            ("--catalogue", "nowhere.yaml"),
            78,
            "nowhere.yaml: cannot be read: file not found; give your fleet's catalogue with "
            "--catalogue",
        ),
        ("2026-03-02T12:00Z", ("--policy", "nobody.yaml"), 65, "nobody.yaml"),
        ("2026-03-02T12:00Z", ("--memory", "long"), 65, "--memory"),
        ("2026-03-02T12:00Z", ("--to", "9999-12-31"), 65, "more than 366 days after --from"),
        (
            "2026-03-02T12:00Z",
            ("--resume", "/dev/null/x"),
            65,
            "--resume: /dev/null/x cannot be created",
        ),
    ],
)
def test_what_cannot_be_run_again_is_refused_by_name(
    place: Path, start: str, more: tuple[str, ...], code: int, words: str
) -> None:
    ran = backtest(place, *more, start=start)
    assert ran.code == code
    assert words in ran.err


def test_a_database_without_history_says_so(place: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    upgrade(url)
    ran = backtest(place, "--database", url)
    assert ran.code == 65
    assert "has no usage before --to" in ran.err


def test_a_database_of_another_release_is_not_read(place: Path, tmp_path: Path) -> None:
    ran = backtest(place, "--database", f"sqlite:///{tmp_path / 'new.db'}")
    assert ran.code == 71
    assert "db upgrade" in ran.err
