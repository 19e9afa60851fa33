"""What scenarios assume is told once, and of nobody who does not assume it."""

from benchmarks.evidence.ledger import Place
from benchmarks.evidence.places import places_told


def a_place(role: str, *said: str, name: str = "", days: float = 1.0) -> Place:
    return Place(role=role, name=name or role, said=said, days=days, requests=1234.5)


def test_a_sentence_of_several_is_told_once_and_names_them() -> None:
    places = [a_place("week", "Same.", "Large.", days=7.0), a_place("day", "Same.", "Large.")]
    assert places_told(places) == [
        "`week` and `day`: Same. Large.",
        "`week`: 7 days, 1,234 requests per run.",
        "`day`: 1 day, 1,234 requests per run.",
    ]


def test_what_one_assumes_alone_stays_with_it() -> None:
    places = [
        a_place("a", "Same.", "Large."),
        a_place("b", "Same.", "Small."),
        a_place("c", "Same.", "Large."),
    ]
    assert places_told(places) == [
        "`a`, `b` and `c`: Same.",
        "`a` and `c`: Large.",
        "`a`: 1 day, 1,234 requests per run.",
        "`b`: 1 day, 1,234 requests per run. Small.",
        "`c`: 1 day, 1,234 requests per run.",
    ]


def test_a_stand_in_is_named() -> None:
    (line,) = places_told([a_place("week", "Large.", name="small")])
    assert line == "`small` (for `week`): 1 day, 1,234 requests per run. Large."
