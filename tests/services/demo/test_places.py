"""Where a demo keeps and writes things is tried before anything starts, and told by its switch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from heliostat.errors import InvalidSettings
from services.demo.process import check_writable, place
from tests.cli.running import heliostat


def a_file_above(keep: Path) -> None:
    keep.parent.write_text("a file")


def a_file_there(keep: Path) -> None:
    keep.parent.mkdir()
    keep.write_text("a file")


def an_earlier_demo(keep: Path) -> None:
    keep.mkdir(parents=True)
    (keep / "heliostat.db").touch()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (a_file_above, "Not a directory"),
        (a_file_there, "File exists"),
        (an_earlier_demo, "not empty"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_with_what_to_do(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    keep = tmp_path / "folder" / "kept"
    spoil(keep)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidSettings, match=words) as refused, place(keep):
        pytest.fail("it was entered all the same")
    assert refused.value.field == "--keep"
    assert "use a " in refused.value.remedy
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_kept_stays_and_what_is_not_goes(tmp_path: Path) -> None:
    with place(tmp_path / "new" / "kept") as kept, place(None) as lent:
        for where in (kept, lent):
            (where / "written").touch()
    assert (tmp_path / "new" / "kept" / "written").exists()
    assert not lent.exists()


def test_a_file_that_cannot_be_written_is_refused_before_the_work_is_done(tmp_path: Path) -> None:
    for file, words in ((tmp_path, "is a directory"), (tmp_path / "no" / "f", "no directory")):
        with pytest.raises(InvalidSettings, match=words) as refused:
            check_writable("--json", file)
        assert refused.value.field == "--json"
    check_writable("--json", tmp_path / "f.json")
    check_writable("--json", None)
    assert not list(tmp_path.iterdir())


def test_a_dash_is_no_file_and_can_always_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "-").mkdir()
    monkeypatch.chdir(tmp_path)
    check_writable("--json", Path("-"))


def test_the_command_says_what_is_wrong_with_its_switches(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for switch, value in (("--keep", tmp_path / "file" / "x"), ("--json", tmp_path)):
        ran = heliostat("demo", "--headless", switch, value)
        assert ran.code == 78
        assert switch in ran.err
        assert "fault of ours" not in ran.err
