"""Writes a page: its ledger, its pictures, and the page itself, rendered from the ledger alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.evidence.ledger import Ledger, ledger_as_mapping, ledger_of
from benchmarks.evidence.page import EvidencePage, Shown
from benchmarks.evidence.places import named, places_told
from benchmarks.evidence.wording import listed
from heliostat.errors import InvalidInput
from simulation.experiments.result import OWED

RESULTS, PICTURES = "results", "pictures"


def write_ledger(ledger: Ledger, out: Path) -> None:
    """Keep it beside the pages."""
    folder = out / RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    told = ledger_as_mapping(ledger)
    # A row a run: what changed between two versions can be looked at.
    tables = [f' "{name}": {_rows(told.pop(name))}' for name in ("runs", "trials")]
    head = json.dumps(told, sort_keys=True, indent=1)
    text = f"{head[:-2]},\n{','.join(tables)}}}\n"
    (folder / f"{ledger.page}.json").write_text(text, "utf-8")


def _rows(rows: Iterable[Any]) -> str:
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    return f"[\n{lines}\n]"


def read_ledger(name: str, out: Path) -> Ledger:
    """The one that was kept. Raises InvalidInput when there is none, or none that can be read."""
    path = out / RESULTS / f"{name}.json"
    try:
        return ledger_of(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise InvalidInput(
            str(path), "does not exist", remedy="run the page without --render once"
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(str(path), f"cannot be read back: {error}") from error


def write_page(page: EvidencePage, ledger: Ledger, out: Path) -> Path:
    """Page and pictures; the same ledger gives the same bytes."""
    shown = page.show(ledger)
    pictures = out / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    for name, svg in shown.pictures.items():
        (pictures / name).write_text(svg, "utf-8")
    path = out / f"{page.name}.md"
    path.write_text(rendered(page, ledger, shown), "utf-8")
    return path


def rendered(page: EvidencePage, ledger: Ledger, shown: Shown) -> str:
    """The page's Markdown."""
    environment = Environment(  # noqa: S701 - Markdown of our own figures, no HTML of anybody's
        loader=FileSystemLoader(page.templates),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template(f"{page.name}.md")
    return template.render(
        **shown.values,
        rests_on=rests_on(ledger),
        places=ledger.places,
        assumed=places_told(ledger.places),
        ledger=ledger,
        owed=any(OWED in trial.figures for trial in ledger.trials),
    )


def rests_on(ledger: Ledger) -> str:
    """Which runs the page was rendered from."""
    if not ledger.trials:
        return "**No runs exist for this page yet.**"
    stands_in = [p for p in ledger.places if p.name != p.role]
    ran_on = [
        place for place in ledger.places if any(t.scenario == place.role for t in ledger.trials)
    ]
    said = [
        f"{len(ledger.trials)} runs on {listed([named(place) for place in ran_on])}; "
        f"{_seeds_words(ledger)}; {_spent_words(ledger.cpu_seconds)}; "
        f"code {ledger.code}, commit {ledger.commit or 'unknown'}."
    ]
    if stands_in:
        names = listed(sorted({f"`{place.name}`" for place in stands_in}))
        roles = listed([f"`{place.role}`" for place in stands_in])
        said.append(
            f"**Preliminary: {names} stands in for {roles}.** Verdicts below refer to the runs "
            "made; `make evidence` runs the scenarios named."
        )
    if not ledger.complete:
        said.append("**Some runs that this page needs are still missing.**")
    return " ".join(said)


def _spent_words(seconds: float) -> str:
    return (
        f"{seconds / 60:.0f} CPU minutes" if seconds < 3600 else f"{seconds / 3600:.1f} CPU hours"
    )


def _seeds_words(ledger: Ledger) -> str:
    count = len(ledger.seeds)
    return "one seed" if count == 1 else f"{count} seeds"
