"""What a page of evidence is to this room: what it wants run, and how it is rendered from a ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.wanted import Wanted

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page's template is filled with, and its pictures as SVG by file name."""

    values: Mapping[str, Any]
    pictures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePage:
    """One page: `name` names its template in `templates`, its ledger and the page itself."""

    name: str
    wants: tuple[Wanted, ...]
    show: Callable[[Ledger], Shown]
    templates: Path = TEMPLATES
