"""Replaces files whole: the old contents stay until the new ones are complete, of several until all are."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """What a file shall hold."""

    path: Path
    content: bytes
    secret: bool = False
    """True = nobody but its owner may ever read it, not even while it is written."""


def write_whole(path: Path, text: str) -> None:
    """Replace the file with this text. Raises OSError, and leaves what was there as it was.

    What is no file (a device, a pipe) cannot be replaced and is written to.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, "utf-8")
    else:
        write_together([NewFile(path=path, content=text.encode())])


def write_together(files: Iterable[NewFile]) -> None:
    """Replace these files, each at once; of two of one path the last counts. Raises OSError naming a file.

    All are complete on disk before the first one replaces what was there. A file that was there keeps its
    permissions unless it is secret, and its owner: one that is not secret only where we may give it away. A
    link stays a link.
    """
    wanted = {os.path.realpath(file.path): file for file in files}
    waiting: dict[str, str] = {}
    try:
        for target, file in wanted.items():
            waiting[target] = _beside(target)
            with _naming(file.path):
                _write(waiting[target], file, target)
        for target, file in wanted.items():
            with _naming(file.path):
                os.replace(waiting[target], target)
                del waiting[target]
        for directory in {os.path.dirname(target) for target in wanted}:
            _keep(directory)
    finally:
        for left in waiting.values():
            with suppress(OSError):
                os.unlink(left)


def _beside(target: str) -> str:
    directory, name = os.path.split(target)
    return os.path.join(directory, f".{name}.{os.getpid()}")


def _write(place: str, file: NewFile, target: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(place)
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if file.secret else 0o666)
    with os.fdopen(handle, "wb") as opened:
        with suppress(FileNotFoundError):
            before, fresh = os.stat(target), os.fstat(handle)
            if stat.S_ISDIR(before.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if (before.st_uid, before.st_gid) != (fresh.st_uid, fresh.st_gid):
                _give(handle, before, file)
            os.fchmod(handle, 0o600 if file.secret else before.st_mode & 0o777)
        opened.write(file.content)
        opened.flush()
        os.fsync(handle)


def _give(handle: int, before: os.stat_result, file: NewFile) -> None:
    """To the owner of what was there. Raises PermissionError where its owner could not read it any more."""
    try:
        os.fchown(handle, before.st_uid, before.st_gid)
    except PermissionError:
        if file.secret:
            raise


def _keep(directory: str) -> None:
    """The new names outlive a power cut, where the file system can be asked for it."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """An error names the file that was to be written: a full disk names none, others the one beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
