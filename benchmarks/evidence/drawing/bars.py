"""Horizontal bars with their 95 % intervals, for changes against a baseline or figures side by side."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.evidence.drawing.canvas import COLOURS, FAINT, INK, Canvas, Scale, linear, ticks
from benchmarks.evidence.wording import signed
from simulation.experiments.intervals import Estimate

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _FOOT = 760, 210, 90, 44, 24, 40


def bars_picture(
    title: str,
    bars: Sequence[tuple[str, Estimate | None]],
    *,
    percent: bool = True,
    asked: float | None = None,
) -> str:
    """A bar per name; `asked` is drawn across all of them."""
    known = [(name, one) for name, one in bars if one is not None]
    height = _TOP + _ROW * max(1, len(known)) + _FOOT
    canvas = Canvas(_WIDTH, height, title)
    canvas.words(12, 22, title, size=14)
    if not known:
        canvas.words(12, _TOP + 14, "Nothing was measured.")
        return canvas.svg()
    ends = [0.0, *([] if asked is None else [asked])]
    for _, one in known:
        ends += [one.mean, *([one.low] if one.low is not None else [])]
        ends += [one.high] if one.high is not None else []
    pad = 0.06 * (max(ends) - min(ends) or 1.0)
    low, high = min(ends) - (pad if min(ends) < 0 else 0), max(ends) + (pad if max(ends) > 0 else 0)
    x = linear(low, high, _LEFT, _WIDTH - _RIGHT)
    foot = height - _FOOT
    for tick in ticks(low, high, 6):
        canvas.line([(x(tick), _TOP - 6), (x(tick), foot)], FAINT, 0.5)
        words = signed(tick, 0) if percent else f"{tick:,.0f}"
        canvas.words(x(tick), foot + 16, words, anchor="middle", size=11)
    for place, (name, one) in enumerate(known):
        _bar(canvas, name, one, _TOP + _ROW * place, x, percent=percent)
    canvas.line([(x(0), _TOP - 6), (x(0), foot)], INK, 1)
    if asked is not None:
        canvas.line([(x(asked), _TOP - 6), (x(asked), foot)], COLOURS[1], 1.5)
        canvas.words(x(asked), height - 6, "claimed", anchor="middle", size=11, colour=COLOURS[1])
    return canvas.svg()


def _bar(canvas: Canvas, name: str, one: Estimate, y: float, x: Scale, *, percent: bool) -> None:
    middle = y + _ROW / 2
    canvas.words(_LEFT - 10, middle + 4, name, anchor="end")
    start, end = sorted((x(0), x(one.mean)))
    canvas.bar(start, y + 4, max(0.5, end - start), _ROW - 8, COLOURS[0])
    if one.low is not None and one.high is not None:
        canvas.line([(x(one.low), middle), (x(one.high), middle)], INK, 1.2)
        for at in (one.low, one.high):
            canvas.line([(x(at), middle - 4), (x(at), middle + 4)], INK, 1.2)
    words = signed(one.mean) if percent else f"{one.mean:,.1f}"
    canvas.words(_WIDTH - _RIGHT + 10, middle + 4, words, size=11)
