"""The page that says which evidence page rests on which runs of which code, from the ledgers alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.tables import table
from benchmarks.evidence.wording import NOTHING, listed
from benchmarks.evidence.writing import RESULTS, read_ledger
from simulation.experiments.result import BILLED, OWED

PAGE = "basis.md"
_HEAD = """# What each page rests on

*Rendered by `make evidence` from the files in `results/`; do not edit.*

The pages were run at different commits. `git diff COMMIT -- heliostat forecasting planning scheduling storage
simulation` shows what has changed since in the code that computes.

"""


def write_basis(out: Path) -> Path:
    """Write it beside the pages, for every ledger there. Raises InvalidInput for one that cannot be read."""
    names = sorted(path.stem for path in (out / RESULTS).glob("*.json"))
    path = out / PAGE
    path.write_text(basis(read_ledger(name, out) for name in names), "utf-8")
    return path


def basis(ledgers: Iterable[Ledger]) -> str:
    """The page's Markdown, one row per ledger."""
    rows = [_row(ledger) for ledger in ledgers]
    head = ("page", "runs", "seeds", "commit", "code", "state")
    return f"{_HEAD}{table(head, rows, right=(1, 2))}\n"


def _row(ledger: Ledger) -> tuple[str, ...]:
    page = f"[{ledger.page}]({ledger.page}.md)"
    if not ledger.trials:
        return (page, "0", *(NOTHING,) * 3, "**not run yet**")
    commit = f"`{ledger.commit}`" if ledger.commit else "unknown"
    return (
        page,
        f"{len(ledger.trials):,}",
        str(len(ledger.seeds)),
        commit,
        f"`{ledger.code}`",
        _state(ledger),
    )


def _state(ledger: Ledger) -> str:
    """What a reader must know before relying on it."""
    faults = []
    if not ledger.complete:
        faults.append("**incomplete**: some of its runs are missing")
    stand_ins = sorted({f"`{place.name}`" for place in ledger.places if place.name != place.role})
    if stand_ins:
        faults.append(f"**preliminary**: {listed(stand_ins)} stands in for larger scenarios")
    figures = {name for trial in ledger.trials for name in trial.figures}
    if BILLED in figures and OWED not in figures:
        faults.append("**to be repeated**: work left at the end of a run was not billed")
    return "; ".join(faults) or "complete"
