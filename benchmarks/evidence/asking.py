"""The command line of this room, checked."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.evidence.scale import FULL
from heliostat.errors import InvalidInput

PAGES = Path("docs/evidence")
RUNS = Path("build/evidence")
_DEFAULT_SEEDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which pages, on which scenarios, with which seeds, from where to where."""

    pages: tuple[str, ...]
    scale: str
    seeds: tuple[int, ...]
    workers: int
    render: bool
    adopt: bool
    runs: Path
    out: Path


def asked_of(arguments: Sequence[str], known: Sequence[str]) -> Asked:
    """What was typed. Raises InvalidInput, and SystemExit as argparse does."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence",
        description="Runs the experiments behind the pages of docs/evidence/ and writes the pages.",
    )
    parser.add_argument("pages", nargs="*", help=f"any of {', '.join(known)} (default: all)")
    parser.add_argument(
        "--seeds", type=int, default=_DEFAULT_SEEDS, help="number of seeds (%(default)s)"
    )
    parser.add_argument(
        "--scale",
        default=FULL,
        help="full; small: `small` stands in for the built-in scenarios; a file: it stands in for all",
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="runs at once (%(default)s)"
    )
    parser.add_argument(
        "--render", action="store_true", help="run nothing; write pages from stored results"
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="take what the stored results hold of runs by this very code, instead of making them",
    )
    parser.add_argument(
        "--runs", type=Path, default=RUNS, help="folder of finished runs (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=PAGES, help="folder of the pages (%(default)s)")
    told = parser.parse_args(arguments)
    for name in told.pages:
        if name not in known:
            raise InvalidInput("page", f"{name!r} is unknown", remedy=f"pages: {', '.join(known)}")
    if told.seeds < 1 or told.workers < 1:
        raise InvalidInput("--seeds, --workers", "at least one each")
    return Asked(
        pages=tuple(told.pages) or tuple(known),
        scale=told.scale,
        seeds=tuple(range(1, told.seeds + 1)),
        workers=told.workers,
        render=told.render,
        adopt=told.adopt,
        runs=told.runs,
        out=told.out,
    )
