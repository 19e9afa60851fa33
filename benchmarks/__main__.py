"""`python -m benchmarks [name …]`: measures, prints a table and writes `build/bench.json`.

A name is a module of this package (`ingest`, `planning` …) or a benchmark inside it
(`planning.dive`). Without names everything runs, one benchmark after the other, so that figures do
not disturb each other. A run of some names keeps the other figures of an earlier run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from statistics import fmean

import benchmarks
from benchmarks.evidence.checkout import commit_of
from benchmarks.figure import Benchmark, Figure
from benchmarks.pace import pace
from heliostat.clock import SystemClock, cpu_seconds, monotonic_seconds
from simulation.experiments.fingerprint import ROOMS

REPORT = Path("build/bench.json")
MEASURED = (*ROOMS, "services", "benchmarks")
"""Folders whose uncommitted changes a figure's commit does not tell."""


def main(arguments: list[str]) -> int:
    """Run the named benchmarks; exit code 1 when one of them failed to run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="modules or module.benchmark; all by default")
    parser.add_argument("--list", action="store_true", help="list what there is and stop")
    chosen = parser.parse_args(arguments)
    available = dict(find_benchmarks())
    if chosen.list:
        print("\n".join(available))
        return 0
    selected = select(available, chosen.names)
    if not selected:
        print(f"no benchmark is called {' or '.join(chosen.names)}; --list shows all")
        return 2
    print(machine())
    failed = 0
    for number, (name, benchmark) in enumerate(selected.items(), start=1):
        print(f"[{number}/{len(selected)}] {name} …", flush=True)
        failed += not run(name, benchmark)
    print(f"figures are in {REPORT}")
    return 1 if failed else 0


def find_benchmarks() -> Iterator[tuple[str, Benchmark]]:
    """Every benchmark of every module here, by `module.function`."""
    for module in sorted(info.name for info in iter_modules(benchmarks.__path__)):
        if module in ("__main__", "figure"):
            continue
        for benchmark in getattr(import_module(f"benchmarks.{module}"), "BENCHMARKS", ()):
            yield f"{module}.{benchmark.__name__}", benchmark


def select(available: dict[str, Benchmark], names: list[str]) -> dict[str, Benchmark]:
    """Those that are named, by module or in full; all without names."""
    if not names:
        return available
    return {k: v for k, v in available.items() if k in names or k.split(".")[0] in names}


def run(name: str, benchmark: Benchmark) -> bool:
    """Measure, print and keep the figures; False when the benchmark raised."""
    wall, cpu = monotonic_seconds(), cpu_seconds()
    try:
        with pace() as samples:
            figures = list(benchmark())
    except Exception as error:  # noqa: BLE001 - one broken benchmark must not hide the others
        print(f"  {name} failed: {type(error).__name__}: {error}", flush=True)
        return False
    for figure in figures:
        print("  " + line(figure), flush=True)
    share = keep(figures, samples)
    print(
        f"  {monotonic_seconds() - wall:.1f} s wall, {cpu_seconds() - cpu:.1f} s CPU here, "
        f"the machine at {share:.0%} of its best",
        flush=True,
    )
    return True


def line(figure: Figure) -> str:
    """One line for people."""
    mark = {True: "met", False: "MISSED", None: ""}[figure.met]
    bound = "≥" if figure.better == "higher" else "≤"
    goal = "" if figure.target is None else f"(target {bound} {figure.target:g}) {mark}"
    note = f" – {figure.note}" if figure.note else ""
    return f"{figure.name:<52} {figure.value:>12,.4g} {figure.unit} {goal}{note}"


def keep(figures: list[Figure], samples: Sequence[float]) -> float:
    """Put the figures into the report beside those of other benchmarks, with the day, the commit, and the
    mean of those samples of the machine's pace; returns the pace as far as its best is known."""
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    best = report["best_loop_seconds"] = min(report.get("best_loop_seconds", math.inf), *samples)
    mean = fmean(samples)
    report["machine"] = machine()
    now = {"measured": SystemClock().now().date().isoformat(), "commit": commit_of(MEASURED)}
    report.setdefault("figures", {}).update(
        {f.name: asdict(f) | {"met": f.met, "loop_seconds": mean} | now for f in figures}
    )
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n")
    return float(best / mean)


def machine() -> str:
    """What the figures were measured on."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
