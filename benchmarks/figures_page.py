"""`python -m benchmarks.figures_page FILE`: writes the page of the latest measured figures.

Each is shown with its target, the command that prints it and the machine; nothing is measured here.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.__main__ import REPORT

_HEAD = """# Figures

What `make bench` measured last on {machine}; `make figures` wrote this page from its report. Machines
are shared and noisy: rates and latencies are those of a single run. *Pace* is the machine's speed during
the benchmark, measured by a fixed loop beside it, as a share of its best; CPU seconds grow as it falls.
Each heading is the command that prints the figures below it. A `+` behind a commit: with uncommitted changes.
"""
_COLUMNS = """| figure | measured | target | | pace | notes |
|---|--:|--:|---|--:|---|
"""
_MARKS = {True: "met", False: "**missed**", None: ""}


def main(arguments: list[str]) -> int:
    """Write the page; exit code 2 if there is no report yet."""
    if len(arguments) != 1:
        print("usage: python -m benchmarks.figures_page FILE", file=sys.stderr)
        return 2
    if not REPORT.exists():
        print(f"there is no {REPORT}: run make bench first", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(page(json.loads(REPORT.read_text())))
    return 0


def page(report: dict[str, Any]) -> str:
    """The whole page, given what `benchmarks.__main__.keep` kept."""

    def command(figure: dict[str, Any]) -> str:
        return str(figure["command"])

    best = report.get("best_loop_seconds", math.nan)
    parts = [_HEAD.format(machine=report["machine"])]
    for name, figures in groupby(sorted(report["figures"].values(), key=command), key=command):
        measured = list(figures)
        parts.append(f"\n## `{name}`\n\n{_when(measured)}\n\n{_COLUMNS}")
        parts += [_row(figure, best) for figure in measured]
    return "".join(parts)


def _when(figures: Iterable[dict[str, Any]]) -> str:
    """On which day and at which commit they were measured; reports of old did not record it."""
    times = sorted({(f.get("measured", ""), f.get("commit", "")) for f in figures})
    told = [
        f"Measured on {day} at {f'commit `{commit}`' if commit else 'an unknown commit'}."
        if day
        else "Day and commit were not recorded."
        for day, commit in times
    ]
    return " ".join(told)


def _row(figure: dict[str, Any], best: float) -> str:
    asked = ""
    if figure["target"] is not None:
        bound = "≥" if figure["better"] == "higher" else "≤"
        asked = f"{bound} {_plain(figure['target'])}"
    cells = (
        figure["name"],
        f"{_plain(figure['value'])} {figure['unit']}",
        asked,
        _MARKS[figure["met"]],
        f"{best / figure['loop_seconds']:.0%}" if "loop_seconds" in figure else "",
        figure["note"],
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _plain(value: float) -> str:
    """Four significant digits, no powers of ten."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
