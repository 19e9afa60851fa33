"""Shares over what is swept: a line per name, its 95 % intervals as bars, in one or several panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.evidence.drawing.canvas import COLOURS, FAINT, INK, Canvas, Scale, linear, ticks
from simulation.experiments.intervals import Estimate

_WIDTH, _LEFT, _RIGHT, _TOP, _PANEL, _GAP = 760, 56, 170, 40, 200, 56
Line = Sequence[tuple[float, Estimate | None]]
"""What is swept, and the share there; None leaves a gap."""


def lines_picture(title: str, panels: Mapping[str, Mapping[str, Line]], across: str) -> str:
    """A panel per key, one below the other, the first name on top of the others; `across` = what is swept."""
    canvas = Canvas(_WIDTH, _TOP + max(1, len(panels)) * (_PANEL + _GAP), title)
    canvas.words(12, 22, title, size=14)
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    for place, (head, lines) in enumerate(panels.items()):
        top = _TOP + place * (_PANEL + _GAP)
        swept = sorted({x for line in lines.values() for x, _ in line})
        if not swept:
            canvas.words(_LEFT, top + _PANEL / 2, "Nothing was measured.")
            continue
        x = linear(swept[0], swept[-1], _LEFT + 12, _WIDTH - _RIGHT - 12)
        most = _most(lines)
        y = linear(0, most, top + _PANEL, top + 16)
        _axes(canvas, head, swept, across, top, x, y, most)
        for number, name in reversed(list(enumerate(names))):
            _line(canvas, lines.get(name, ()), COLOURS[number % len(COLOURS)], x, y)
    for number, name in enumerate(names):
        height = _TOP + 22 + 18 * number
        canvas.bar(_WIDTH - _RIGHT + 14, height - 6, 12, 4, COLOURS[number % len(COLOURS)])
        canvas.words(_WIDTH - _RIGHT + 32, height, name)
    return canvas.svg()


def _most(lines: Mapping[str, Line]) -> float:
    """Where the axis ends: a quarter, half or all, whatever holds every mean."""
    highest = max(
        (found.mean for line in lines.values() for _, found in line if found is not None),
        default=1.0,
    )
    return next((end for end in (0.25, 0.5) if highest <= end), 1.0)


def _axes(
    canvas: Canvas,
    head: str,
    swept: Sequence[float],
    across: str,
    top: float,
    x: Scale,
    y: Scale,
    most: float,
) -> None:
    left, right, bottom = _LEFT, _WIDTH - _RIGHT, top + _PANEL
    canvas.words(left, top + 8, head)
    for share in ticks(0, most, 4):
        canvas.line([(left, y(share)), (right, y(share))], FAINT, 0.5)
        canvas.words(left - 6, y(share) + 4, f"{100 * share:g} %", anchor="end", size=11)
    canvas.line([(left, bottom), (right, bottom)], INK, 1)
    for value in swept:
        canvas.words(x(value), bottom + 15, f"{value:g}", anchor="middle", size=11)
    canvas.words((left + right) / 2, bottom + 32, across, anchor="middle", size=11)


def _line(canvas: Canvas, line: Line, colour: str, x: Scale, y: Scale) -> None:
    known = [(at, found) for at, found in line if found is not None]
    canvas.line([(x(at), y(found.mean)) for at, found in known], colour)
    for at, found in known:
        canvas.dot(x(at), y(found.mean), colour, hollow=found.count == 1)
        if found.low is not None and found.high is not None:
            canvas.line(
                [(x(at), y(max(0.0, found.low))), (x(at), y(min(1.0, found.high)))], colour, 1
            )
