"""Capacity against need over time, one panel a policy, in GPUs of the whole fleet."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.evidence.drawing.canvas import COLOURS, FAINT, Canvas, linear, ticks
from benchmarks.evidence.ledger import Curve

_WIDTH, _LEFT, _RIGHT, _TOP, _PANEL, _GAP = 760, 60, 16, 52, 130, 34
_DAY = 86_400


def course_picture(title: str, curves: Sequence[Curve]) -> str:
    """Need that was met (filled), ready (line), coming or going on top (thin)."""
    height = _TOP + max(1, len(curves)) * (_PANEL + _GAP)
    canvas = Canvas(_WIDTH, height, title)
    canvas.words(12, 20, title, size=14)
    canvas.words(
        12,
        38,
        "GPUs: filled = work at the rate of a full replica, line = ready, thin = with those coming or going",
        size=11,
    )
    most = max((_highest(curve) for curve in curves), default=1.0)
    for place, curve in enumerate(curves):
        _panel(canvas, curve, _TOP + place * (_PANEL + _GAP), most, COLOURS[place % len(COLOURS)])
    return canvas.svg()


def _highest(curve: Curve) -> float:
    return max((r + o for r, o in zip(curve.ready, curve.overhead, strict=True)), default=1.0)


def _panel(canvas: Canvas, curve: Curve, top: float, most: float, colour: str) -> None:
    bottom = top + _PANEL
    steps = len(curve.ready)
    x = linear(0, max(1, steps - 1), _LEFT, _WIDTH - _RIGHT)
    y = linear(0, most, bottom, top + 14)
    for tick in ticks(0, most, 3):
        canvas.line([(_LEFT, y(tick)), (_WIDTH - _RIGHT, y(tick))], FAINT, 0.5)
        canvas.words(_LEFT - 6, y(tick) + 4, f"{tick:,.0f}", anchor="end", size=11)
    days = steps * curve.step_seconds / _DAY
    for day in range(int(days) + 1):
        at = x(day * _DAY / curve.step_seconds)
        if at <= _WIDTH - _RIGHT:
            canvas.line([(at, bottom), (at, bottom + 4)], FAINT, 1)
            canvas.words(at, bottom + 15, f"day {day}", size=10)
    busy = [(x(step), y(value)) for step, value in enumerate(curve.busy)]
    canvas.area([(x(0), bottom), *busy, (x(max(1, steps - 1)), bottom)], colour, 0.3)
    both = [
        (x(s), y(r + o)) for s, (r, o) in enumerate(zip(curve.ready, curve.overhead, strict=True))
    ]
    canvas.line(both, colour, 0.6)
    canvas.line([(x(step), y(value)) for step, value in enumerate(curve.ready)], colour, 1.5)
    canvas.words(_LEFT + 4, top + 10, curve.policy)
