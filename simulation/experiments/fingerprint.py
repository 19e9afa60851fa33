"""Which code made a result: a digest of everything that can change a run.

It is coarse on purpose. A changed comment runs everything again; results of two codes in one
comparison would be worse.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import simulation

ROOMS = ("heliostat", "forecasting", "planning", "scheduling", "storage", "simulation")
LIBRARIES = ("highspy", "numba", "numpy", "polars", "scipy", "statsmodels", "tzdata")
_WITHOUT = ("heliostat/v1/", "simulation/reports/")
_SUFFIXES = frozenset({".py", ".json", ".yaml", ".csv", ".parquet"})


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """The digest for this checkout, Python and the libraries that compute."""
    root = Path(simulation.__file__).parents[1]
    digest = hashlib.sha256(f"{sys.version_info[:3]}".encode())
    for library in LIBRARIES:
        digest.update(f"\0{library} {_version(library)}".encode())
    for path in _files(root):
        digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _files(root: Path) -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((root / room).rglob("*")):
            place = path.relative_to(root).as_posix()
            if path.suffix in _SUFFIXES and not place.startswith(_WITHOUT) and path.is_file():
                yield path


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"
