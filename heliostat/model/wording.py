"""Makes foreign texts safe for every store and the wire."""

from __future__ import annotations

LONGEST_SAID = 2_000
"""Characters; a traceback or a page of HTML in an error says enough with its beginning."""


def sayable(text: str) -> str:
    """The text's beginning, of at most LONGEST_SAID characters; what UTF-8 (lone surrogates) or PostgreSQL
    (NUL) cannot hold is shown escaped."""
    whole = text[: LONGEST_SAID + 1].replace("\0", "\\x00")
    whole = whole.encode(errors="backslashreplace").decode()
    return whole if len(whole) <= LONGEST_SAID else whole[: LONGEST_SAID - 1] + "…"
