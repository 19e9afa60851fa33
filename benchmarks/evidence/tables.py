"""Tables in Markdown: claims with their verdicts, policies side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.evidence.reading import Standing, told_change
from benchmarks.evidence.verdicts import Verdict
from benchmarks.evidence.wording import NOTHING, number, percent, plain
from simulation.experiments.result import BILLED, DOLLARS, IDLE, JUDGED, OVERHEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A claim: its words, the figure claimed, the one measured, the verdict and its reason."""

    claim: str
    asked: str
    found: str
    verdict: Verdict
    reason: str


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A Markdown table; columns in `right` are aligned to the right."""
    ruler = ["--:" if place in right else "---" for place in range(len(head))]
    lines = [head, ruler, *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def claims_table(rows: Iterable[Row]) -> str:
    """One row a claim."""
    return table(
        ("claim", "figure claimed", "measured (95 % interval)", "verdict", "reason"),
        ((r.claim, r.asked, r.found, f"**{r.verdict}**", r.reason) for r in rows),
    )


def standings_table(standings: Sequence[tuple[str, Standing | None]], base: Standing | None) -> str:
    """Policies at their settings; changes are against `base`, seed by seed."""
    return table(
        (
            "policy",
            "headroom",
            "within SLO",
            "GPU-hours billed",
            f"against {base.policy}" if base else "change",
            "overhead",
            "idle",
            "dollars",
            "IW-F TTFT p95, s",
        ),
        [_standing_row(name, one, base) for name, one in standings],
        right=range(1, 9),
    )


def _standing_row(name: str, one: Standing | None, base: Standing | None) -> tuple[str, ...]:
    if one is None:
        return (name, *(NOTHING,) * 8)
    mark = " …" if not one.settled else "" if one.reached else " †"
    floor = " ‡" if one.on_the_floor else ""
    comparable = base is not None and one.policy != base.policy and one.settled and base.settled
    against = told_change(one, base, BILLED) if comparable else NOTHING
    return (
        f"{name}{mark}{floor}",
        f"{one.point.headroom:g}",
        percent(one.value(JUDGED)),
        number(one.mean(BILLED)),
        against,
        plain(one.value(OVERHEAD)),
        plain(one.value(IDLE)),
        plain(one.value(DOLLARS)),
        plain(one.value("ttft_seconds.interactive-fast.p95"), 2),
    )


MARKS = (
    "† misses the level at every headroom tried, by more than a tenth of the misses allowed; shown at "
    "its best setting. "
    "‡ exceeds the level already at the least headroom tried, so its bill is an upper limit. "
    "… search not finished; not used in verdicts. "
    "∘ change not adjusted to exactly the level: a slope is unknown, or the level was missed."
)
