"""An SVG under construction: lines, marks and words in pixels, and scales that map figures to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

INK, FAINT, PAPER = "#1b1f24", "#d0d7de", "#ffffff"
COLOURS = (
    "#0969da",
    "#cf222e",
    "#1a7f37",
    "#8250df",
    "#bc4c00",
    "#0a7ea4",
    "#bf3989",
    "#7d4e00",
    "#57606a",
    "#d4a72c",
    "#1b1f24",
    "#ff7b72",
)
_FONT = "font-family=\"system-ui,'Segoe UI',Helvetica,Arial,sans-serif\""
Scale = Callable[[float], float]


@dataclass(slots=True)
class Canvas:
    """Collects elements; `title` is what screen readers say."""

    width: int
    height: int
    title: str
    elements: list[str] = field(default_factory=list)

    def line(
        self, points: Sequence[tuple[float, float]], colour: str = INK, width: float = 1.5
    ) -> None:
        """A line through the points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.elements.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'
        )

    def area(self, points: Sequence[tuple[float, float]], colour: str, opacity: float) -> None:
        """A filled shape."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.elements.append(
            f'<polygon points="{path}" fill="{colour}" fill-opacity="{opacity:g}"/>'
        )

    def dot(self, x: float, y: float, colour: str, *, hollow: bool = False) -> None:
        """A mark; hollow ones rest on less."""
        fill = PAPER if hollow else colour
        self.elements.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{fill}" stroke="{colour}"/>'
        )

    def bar(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A rectangle from its upper left corner."""
        self.elements.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
        )

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "start",
        size: int = 12,
        colour: str = INK,
    ) -> None:
        """Text at its baseline."""
        self.elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{colour}">{escape(text)}</text>'
        )

    def svg(self) -> str:
        """The whole picture."""
        body = "\n".join(self.elements)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img" {_FONT}>\n'
            f"<title>{escape(self.title)}</title>\n"
            f'<rect width="{self.width}" height="{self.height}" fill="{PAPER}"/>\n{body}\n</svg>\n'
        )


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """From figures in [low, high] to pixels in [start, end]."""
    spread = high - low or 1.0

    def scale(value: float) -> float:
        return start + (value - low) / spread * (end - start)

    return scale


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round figures within [low, high], about as many as wanted."""
    raw = (high - low) / max(1, wanted)
    if raw <= 0:
        return [low]
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]
