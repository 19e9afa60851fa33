"""What the scenarios of a page assume, each sentence told once: first what several share, then their own."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.evidence.ledger import Place
from benchmarks.evidence.wording import listed


def places_told(places: Sequence[Place]) -> list[str]:
    """Lines of a list. A sentence that several scenarios say names them; then each one with the rest."""
    shared: dict[tuple[str, ...], list[str]] = {}
    for sentence in dict.fromkeys(sentence for place in places for sentence in place.said):
        who = tuple(place.role for place in places if sentence in place.said)
        if len(who) > 1:
            shared.setdefault(who, []).append(sentence)
    told = {sentence for sentences in shared.values() for sentence in sentences}
    widest_first = sorted(shared.items(), key=lambda one: -len(one[0]))
    return [
        *(f"{listed([f'`{role}`' for role in who])}: {' '.join(s)}" for who, s in widest_first),
        *(_own(place, [s for s in place.said if s not in told]) for place in places),
    ]


def named(place: Place) -> str:
    """What was run, and for what it stands in."""
    return f"`{place.name}`" if place.name == place.role else f"`{place.name}` (for `{place.role}`)"


def _own(place: Place, sentences: Sequence[str]) -> str:
    days = f"{place.days:.3g} day{'' if place.days == 1 else 's'}"
    return " ".join(
        [f"{named(place)}: {days}, {place.requests:,.0f} requests per run.", *sentences]
    )
