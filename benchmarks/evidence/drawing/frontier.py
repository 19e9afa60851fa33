"""The frontier: what policies bill for the share of requests that they keep, on a scale of misses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmarks.evidence.drawing.canvas import COLOURS, FAINT, INK, Canvas, Scale, linear, ticks

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 180, 34, 50
_LEAST_MISSED, _MOST_MISSED = 1e-4, 0.3
_KEPT = (0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999)
FrontierPoints = Sequence[tuple[float, float, int]]
"""Billed GPU-hours, attainment, how many seeds."""


def frontier_picture(
    title: str,
    policies: Mapping[str, FrontierPoints],
    levels: Sequence[float],
    bound: float | None = None,
) -> str:
    """A policy's means, and hollow and thin what was run with one seed alone. `bound`: nobody bills less."""
    canvas = Canvas(_WIDTH, _HEIGHT, title)
    canvas.words(_LEFT, 20, title, size=14)
    shown = {
        name: [p for p in points if _LEAST_MISSED / 2 <= 1 - p[1] + 1e-12 <= _MOST_MISSED]
        for name, points in policies.items()
    }
    every = [point for points in shown.values() for point in points]
    if not every:
        canvas.words(_LEFT, _HEIGHT / 2, "No finished runs.")
        return canvas.svg()
    costs = sorted(cost for cost, _, _ in every)
    low = min(costs[0], bound or costs[0]) * 0.96
    # One policy that bills ten times as much must not press all others into a corner.
    high = min(costs[-1], 2.5 * costs[len(costs) // 2]) * 1.04
    most = max(1 - kept for _, kept, _ in every)
    least = max(_LEAST_MISSED, min(1 - kept for _, kept, _ in every))
    x = linear(low, high, _LEFT, _WIDTH - _RIGHT)
    y_log = linear(
        math.log(max(most, 2 * (1 - min(levels)))),
        math.log(min(least, (1 - max(levels)) / 2)),
        _HEIGHT - _BOTTOM,
        _TOP,
    )

    def y(kept: float) -> float:
        return y_log(math.log(max(_LEAST_MISSED, 1 - kept)))

    _axes(canvas, low, high, x, y, levels)
    if bound is not None:
        canvas.line([(x(bound), _TOP), (x(bound), _HEIGHT - _BOTTOM)], INK, 1)
        canvas.words(x(bound) + 4, _TOP + 12, "LP bound", size=11)
    for place, (name, points) in enumerate(shown.items()):
        colour = COLOURS[place % len(COLOURS)]
        within = [p for p in points if p[0] <= high]
        # One seed's curve and the means over all are two curves: seeds differ in luck.
        for alone, width in ((True, 0.8), (False, 1.8)):
            part = [(x(cost), y(kept)) for cost, kept, seeds in within if (seeds == 1) == alone]
            canvas.line(part, colour, width)
        for cost, kept, seeds in within:
            canvas.dot(x(cost), y(kept), colour, hollow=seeds == 1)
        canvas.bar(_WIDTH - _RIGHT + 14, _TOP + 18 * place, 12, 4, colour)
        canvas.words(_WIDTH - _RIGHT + 32, _TOP + 6 + 18 * place, name)
    return canvas.svg()


def _axes(
    canvas: Canvas, low: float, high: float, x: Scale, y: Scale, levels: Sequence[float]
) -> None:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for cost in ticks(low, high):
        canvas.line([(x(cost), _TOP), (x(cost), bottom)], FAINT, 0.5)
        canvas.words(x(cost), bottom + 16, f"{cost:,.0f}", anchor="middle", size=11)
    for kept in _KEPT:
        if _TOP <= y(kept) <= bottom:
            strong = any(math.isclose(kept, level) for level in levels)
            canvas.line([(_LEFT, y(kept)), (right, y(kept))], INK if strong else FAINT, 0.7)
            canvas.words(_LEFT - 6, y(kept) + 4, f"{100 * kept:g} %", anchor="end", size=11)
    canvas.words((_LEFT + right) / 2, _HEIGHT - 12, "GPU-hours billed", anchor="middle")
