"""An experiment's findings as one page that needs nothing else: no file beside it, no word to any host."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from heliostat.model.names import Tier
from simulation.experiments.comparison import Contest, against
from simulation.experiments.experiment import Findings
from simulation.experiments.intervals import Estimate
from simulation.experiments.result import BILLED, DOLLARS, IDLE, JUDGED, LENT, OVERHEAD, OWED
from simulation.experiments.sweep import Sweep
from simulation.reports.bound import lp_gpu_hours, oracle_gpu_hours
from simulation.reports.payload import payload
from simulation.reports.words import (
    billed_sentences,
    bound_sentences,
    floor_sentences,
    idle_sentences,
    lent_sentences,
    miss_sentences,
    owed_sentences,
)

_HERE = Path(__file__).parent / "web"
NOTHING = "–"
MOST_HEADLINES = 3


def page(findings: Findings) -> str:
    """The page's HTML, the same for the same findings."""
    experiment = findings.experiment
    return _template().render(
        style=Markup(_file("page.css")),  # noqa: S704 - our own file
        script=Markup(_file("chart.js") + _file("page.js")),  # noqa: S704 - our own files
        data=_as_script(payload(findings)),
        scenario=experiment.scene.name,
        begins=f"{findings.begins:%Y-%m-%d %H:%M}",
        ends=f"{findings.ends:%Y-%m-%d %H:%M}",
        engine=experiment.engine,
        seeds=len(experiment.seeds),
        first_seed=experiment.seeds[0],
        asked=f"{100 * experiment.attainment:g}",
        fixed=None if isinstance(experiment.headroom, Sweep) else f"{experiment.headroom:g}",
        cheapest=experiment.cheapest_in,
        headlines=[*billed_sentences(findings)[:MOST_HEADLINES], *bound_sentences(findings)],
        misses=miss_sentences(findings),
        notes=[
            *idle_sentences(findings),
            *floor_sentences(findings),
            *owed_sentences(findings),
            *lent_sentences(findings),
        ],
        first=findings.contests[0].policy.name,
        tiers=list(Tier),
        lends=any(_bills(one, LENT) for one in findings.contests),
        owes=any(_bills(one, OWED) for one in findings.contests),
        rows=[_row(one, findings.contests[0]) for one in findings.contests],
        bounds=_bounds(findings),
        said=findings.said,
    )


def _row(one: Contest, first: Contest) -> dict[str, Any]:
    point = one.point
    row = {"name": one.policy.name, "reached": one.reached, "failed": point is None}
    if point is None:
        return row
    return row | {
        "headroom": f"{one.chosen:g}",
        "kept": _percent(point.mean(JUDGED)),
        "tiers": [_percent(point.mean(f"slo_attainment.{tier}")) for tier in Tier],
        "billed": _number(point.mean(BILLED)),
        "half": _half(point.mean(BILLED)),
        "less": _less(one, first),
        "idle": _number(point.mean(IDLE)),
        "overhead": _number(point.mean(OVERHEAD)),
        "dollars": _number(point.mean(DOLLARS)),
        "shed": _number(point.mean("shed")),
        "wape": _percent(point.mean("forecast_wape"), 1),
        "events": _number(point.mean("scale_events")),
    }


def _bills(one: Contest, figure: str) -> bool:
    """Is there any of it in the policy's bill?"""
    found = None if one.point is None else one.point.mean(figure)
    return found is not None and found.mean > 0


def _less(one: Contest, first: Contest) -> dict[str, Any] | None:
    """What the first policy bills less than this one, of this one's bill."""
    found = None if one is first else against(first, one, BILLED)
    if found is None or found.relative is None:
        return None
    return {"share": f"{100 * found.relative:+.1f}%", "sure": bool(found.excludes_zero)}


def _bounds(findings: Findings) -> list[tuple[str, str]]:
    told = [
        ("LP bound", lp_gpu_hours(findings)),
        ("causal oracle", oracle_gpu_hours(findings)),
    ]
    return [(name, _number(found)) for name, found in told if found is not None]


def _number(found: Estimate | None) -> str:
    return NOTHING if found is None else f"{found.mean:,.0f}"


def _half(found: Estimate | None) -> str:
    return "" if found is None or found.high is None else f"±{found.high - found.mean:,.0f}"


def _percent(found: Estimate | None, digits: int = 2) -> str:
    return NOTHING if found is None else f"{100 * found.mean:.{digits}f}%"


def _as_script(told: Any) -> Markup:
    """JSON that no browser takes for the end of its script."""
    text = json.dumps(told, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", " ").replace("\u2029", " "))  # noqa: S704 - nothing in it can end the element


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_file("page.html"))


def _file(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
