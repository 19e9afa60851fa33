"""A refusal is told at once; the same again and again is told as one, with its count."""

from __future__ import annotations

from datetime import datetime, timedelta

from heliostat.model.governance import AuditRecord
from services.control_plane.refusals import MOST_COUNTED, TOLD_AGAIN_AFTER, Repeats
from tests.builders import NOON

SECOND = timedelta(seconds=1)


def refused(at: datetime = NOON, detail: str = "no", author: str = "agent:east") -> AuditRecord:
    return AuditRecord(
        at=at,
        author=author,
        action="report-fleet",
        subject="",
        detail=detail,
        outcome="refused: REGION_HELD",
    )


def test_the_first_is_told_at_once_and_the_same_soon_after_is_counted() -> None:
    repeats = Repeats()
    assert repeats.heard(refused()) == (refused(),)
    assert repeats.heard(refused(NOON + SECOND)) == ()
    assert repeats.due(NOON + TOLD_AGAIN_AFTER - SECOND) == ()


def test_what_was_counted_is_told_once_with_its_count_and_counted_anew() -> None:
    repeats = Repeats()
    repeats.heard(refused())
    for second in range(1, 4):
        repeats.heard(refused(NOON + second * SECOND))
    later = NOON + TOLD_AGAIN_AFTER
    (told,) = repeats.due(later)
    assert told.at == later
    assert told.detail == f"no (3 times more since {NOON.isoformat()})"
    assert repeats.due(later) == ()
    assert repeats.heard(refused(later + SECOND)) == ()
    (again,) = repeats.due(later + TOLD_AGAIN_AFTER)
    assert again.detail == f"no (once more since {later.isoformat()})"


def test_the_next_refusal_of_anybody_brings_what_was_counted() -> None:
    repeats = Repeats()
    repeats.heard(refused())
    repeats.heard(refused(NOON + SECOND))
    other = refused(NOON + TOLD_AGAIN_AFTER, author="agent:west")
    counted, new = repeats.heard(other)
    assert (counted.author, new) == ("agent:east", other)


def test_who_stopped_asking_is_told_at_once_when_he_begins_again() -> None:
    repeats = Repeats()
    repeats.heard(refused())
    late = refused(NOON + TOLD_AGAIN_AFTER)
    assert repeats.heard(late) == (late,)


def test_only_instants_may_differ_in_what_is_the_same() -> None:
    repeats = Repeats()
    held = [
        refused(detail=f"held until {NOON + n * SECOND:%Y-%m-%dT%H:%M:%S+00:00}; no")
        for n in (1, 2)
    ]
    assert repeats.heard(held[0]) == (held[0],)
    assert repeats.heard(held[1]) == ()
    for other in (refused(detail="held by another"), refused(author="agent:west")):
        assert repeats.heard(other) == (other,)


def test_so_many_kinds_are_counted_and_the_others_are_told_each_time() -> None:
    repeats = Repeats()
    for number in range(MOST_COUNTED):
        repeats.heard(refused(detail=f"no pool {number}"))
    assert repeats.heard(refused(detail="no pool 0")) == ()
    for _ in range(2):
        assert repeats.heard(refused(detail="no pool x")) == (refused(detail="no pool x"),)


def test_at_the_end_all_that_was_counted_is_told() -> None:
    repeats = Repeats()
    repeats.heard(refused())
    repeats.heard(refused(NOON + SECOND))
    (told,) = repeats.due(NOON + SECOND, all_of_them=True)
    assert told.detail.startswith("no (once more since ")


def test_after_the_clock_was_set_back_what_was_counted_is_told_and_counted_anew() -> None:
    repeats = Repeats()
    repeats.heard(refused())
    repeats.heard(refused(NOON + SECOND))
    earlier = NOON - timedelta(hours=1)
    (told,) = repeats.due(earlier)
    assert (told.at, told.detail) == (earlier, f"no (once more since {NOON.isoformat()})")
    assert repeats.due(earlier + SECOND) == ()
    late = refused(earlier + TOLD_AGAIN_AFTER)
    assert repeats.heard(late) == (late,)
