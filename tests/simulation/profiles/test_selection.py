"""Which measurements a fit uses, and the reason for each that it leaves out."""

from dataclasses import replace

import pytest

from simulation.profiles.rows import IterationRow
from simulation.profiles.selection import Lessons, lessons
from tests.simulation.profiles.tables import a_row, decode

FIRST_ONLY = "prefill_of_first_sequence_only__decode_contaminated_by_other_prefills"
EARLY = "e2e_shorter_than_token_count__generation_stopped_early"
EAGER = "suspected_eager_fallback_beyond_8k_context"


def learnt(*rows: IterationRow) -> Lessons:
    (found,) = lessons(rows)
    return found


def test_repeated_runs_become_their_median() -> None:
    slow = replace(a_row(), prefill_seconds=9.0, decode_seconds=9.0)
    found = learnt(a_row(), slow, a_row())
    assert [point.seconds for point in found.prefill] == [a_row().prefill_seconds]
    assert [point.rows for point in found.decode] == [3]


def test_a_batch_that_did_not_run_as_one_is_left_out() -> None:
    found = learnt(a_row(), a_row(batch=64, stretch=1.2))
    assert [point.batch for point in found.decode] == [1]
    assert len(found.prefill) == 1
    assert sum(found.left_out.values()) == 2
    assert all("did not run as one" in why for why in found.left_out)


def test_a_run_that_stopped_early_counts_with_the_context_that_it_reached() -> None:
    row = a_row(tokens=4096, stretch=0.25, flag=EARLY)
    found = learnt(row)
    assert found.decode[0].context_tokens == pytest.approx(512 + 512, rel=0.01)
    assert found.left_out == {}


def test_what_is_derived_or_flagged_in_words_that_we_do_not_know_is_left_out() -> None:
    for flag in ("pcap: prefill = 1.3x h100 (derived, not measured)", "odd"):
        found = learnt(a_row(flag=flag))
        assert (found.prefill, found.decode) == ((), ())
        assert sum(found.left_out.values()) == 2


def test_of_a_suspected_fallback_only_the_prefill_counts() -> None:
    found = learnt(a_row(prompt=8192, flag=EAGER))
    assert (len(found.prefill), found.decode) == (1, ())


def test_other_prompts_prefills_are_taken_off_a_batchs_iterations() -> None:
    alone = a_row()
    batch = a_row(batch=8)
    others = 7 * alone.prefill_seconds / 127
    contaminated = replace(batch, decode_seconds=batch.decode_seconds + others, flag=FIRST_ONLY)
    found = learnt(alone, contaminated)
    assert [point.seconds for point in found.decode] == pytest.approx(
        [alone.decode_seconds, decode(8, 576)]
    )
    assert len(found.prefill) == 1
    assert "without the other prompts' prefills" in found.notes[0]


def test_without_the_prompts_own_prefill_a_contaminated_iteration_is_left_out() -> None:
    found = learnt(a_row(batch=8, flag=FIRST_ONLY))
    assert found.decode == ()
    assert "decode: iterations hold the other prompts' prefills" in found.left_out


def test_every_row_is_used_or_left_out_with_a_reason() -> None:
    rows = [a_row(), a_row(batch=64, stretch=2), a_row(1024, flag="odd"), a_row(batch=2)]
    found = learnt(*rows)
    for kind, points in (("prefill", found.prefill), ("decode", found.decode)):
        out = sum(count for why, count in found.left_out.items() if why.startswith(kind))
        assert sum(point.rows for point in points) + out == len(rows)
