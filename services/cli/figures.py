"""Numbers as text; – stands for unknown values."""

from __future__ import annotations

from datetime import UTC, datetime

NOTHING = "–"


def count(number: float | None) -> str:
    """`1,234`."""
    return NOTHING if number is None or number != number else f"{number:,.0f}"


def rate(number: float | None) -> str:
    """Three significant digits: `0.0123`, `12.3`, `1,230`."""
    if number is None or number != number:
        return NOTHING
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def fraction(number: float | None) -> str:
    """Two decimals."""
    return NOTHING if number is None else f"{number:.2f}"


def percent(share: float | None) -> str:
    """`12.3%`."""
    return NOTHING if share is None else f"{share:.1%}"


def dollars(amount: float | None) -> str:
    """`$1,234.50`."""
    return NOTHING if amount is None else f"${amount:,.2f}"


def at(instant: datetime | None) -> str:
    """`2026-03-02T12:00Z`, with seconds only where there are any."""
    if instant is None:
        return NOTHING
    form = "%Y-%m-%dT%H:%M:%SZ" if instant.second else "%Y-%m-%dT%H:%MZ"
    return instant.astimezone(UTC).strftime(form)


def span_words(seconds: float) -> str:
    """`2 d 3 h`, `58 min`, `12 s`."""
    if seconds < 60:
        return f"{seconds:g} s"
    days, rest = divmod(int(seconds), 86_400)
    hours, minutes = divmod(rest // 60, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
