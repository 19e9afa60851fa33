"""A file is written whole or stays as it was, several together; what is no file is not replaced by one."""

from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.whole_files import NewFile, write_together, write_whole


@contextmanager
def little_room(most_bytes: int) -> Iterator[None]:
    """As on a full disk, larger files cannot be written."""
    before, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.RLIMIT_FSIZE
    soft, hard = resource.getrlimit(limits)
    resource.setrlimit(limits, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(limits, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def new(path: Path, content: bytes = b"new", **changes: bool) -> NewFile:
    return NewFile(path=path, content=content, **changes)


def modes(directory: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def test_where_one_finds_no_room_all_stay_as_they_were_and_it_is_named(tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    for path in (small, large):
        path.write_bytes(b"old")
    with little_room(100), pytest.raises(OSError, match="large") as full:
        write_together([new(small), new(large, b"new" * 100)])
    assert full.value.filename == str(large)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "small": b"old",
        "large": b"old",
    }


class Killed(BaseException):
    """Like SIGKILL: nothing catches it."""


@pytest.mark.parametrize(
    ("step", "turn"), [("open", 2), ("fsync", 1), ("fsync", 2), ("replace", 1)]
)
def test_who_is_killed_before_the_last_file_is_complete_has_changed_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, turn: int
) -> None:
    pair = [tmp_path / "key", tmp_path / "certificate"]
    for path in pair:
        path.write_bytes(b"old")
    plain: Callable[..., object] = getattr(os, step)
    taken = 0

    def deadly(*args: object, **named: object) -> object:
        nonlocal taken
        taken += 1
        if taken == turn:
            raise Killed
        return plain(*args, **named)

    monkeypatch.setattr(os, step, deadly)
    with pytest.raises(Killed):
        write_together([new(path) for path in pair])
    assert [path.read_bytes() for path in pair] == [b"old", b"old"]


def test_what_a_life_that_was_killed_left_beside_is_in_nobodys_way(tmp_path: Path) -> None:
    key = tmp_path / "key"
    (tmp_path / f".key.{os.getpid()}").write_bytes(b"half")
    write_together([new(key, secret=True)])
    assert modes(tmp_path) == {"key": 0o600}
    assert key.read_bytes() == b"new"


def test_what_no_file_can_replace_is_found_before_the_first_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"old")
    (tmp_path / "certificate").mkdir()
    with pytest.raises(IsADirectoryError, match="certificate"):
        write_together([new(tmp_path / "key"), new(tmp_path / "certificate")])
    assert (tmp_path / "key").read_bytes() == b"old"


def test_secrets_are_their_owners_from_the_first_byte_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, int]] = []
    plain = os.fsync

    def looking(handle: int) -> None:
        seen.append(modes(tmp_path))
        plain(handle)

    monkeypatch.setattr(os, "fsync", looking)
    (tmp_path / "key").touch(0o644)
    write_together([new(tmp_path / "key", secret=True), new(tmp_path / "other", secret=True)])
    assert modes(tmp_path) == {"key": 0o600, "other": 0o600}
    assert {mode for look in seen for name, mode in look.items() if name != "key"} == {0o600}


def test_what_is_no_secret_keeps_its_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shown = tmp_path / "elsewhere" / "shown"
    shown.touch(0o640)
    shown.chmod(0o640)
    (tmp_path / "link").symlink_to(shown)
    write_together([new(tmp_path / "link")])
    assert (tmp_path / "link").is_symlink()
    assert (shown.read_bytes(), modes(tmp_path / "elsewhere")) == (b"new", {"shown": 0o640})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    os.chown(key, 12_345, 54_321)
    write_together([new(key, secret=True)])
    assert (key.stat().st_uid, key.stat().st_gid) == (12_345, 54_321)


def test_of_two_of_one_path_the_last_counts(tmp_path: Path) -> None:
    write_together([new(tmp_path / "one", b"first"), new(tmp_path / "one", b"last")])
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("one", b"last")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_who_may_not_give_files_away_replaces_what_is_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of somebody else is replaced by ours; a key that its owner could not read is not."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    for path in (tmp_path / "report", tmp_path / "key"):
        path.write_bytes(b"old")
        os.chown(path, 12_345, 54_321)
    monkeypatch.setattr(os, "fchown", refused)
    write_together([new(tmp_path / "report")])
    with pytest.raises(PermissionError, match="key"):
        write_together([new(tmp_path / "key", secret=True)])
    assert (tmp_path / "report").read_bytes() == b"new"
    assert (tmp_path / "key").read_bytes() == b"old"


def test_a_text_that_cannot_be_written_leaves_the_old_one_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "report").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "report", "new")
    assert (tmp_path / "report").read_text() == "old"
    assert os.listdir(tmp_path) == ["report"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("report")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "report").read_text() == "new"


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_whole(Path(os.devnull), "new")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
