"""Answers become plain JSON: UTC instants, seconds in the name, missing as null."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from heliostat.model.latency import LatencySketch
from heliostat.model.names import Tier
from services.cli.asking import replicas
from services.cli.figures import at, count, dollars, percent, rate, span_words
from services.cli.output import Output
from services.cli.times import parse_instant, parse_length, parse_span
from services.cli.values import plain
from tests.builders import NOON, a_pool


@dataclass(frozen=True)
class Thing:
    lead_time: timedelta
    seen: datetime
    tier: Tier
    ratio: float | None
    names: frozenset[str] = frozenset({"b", "a"})
    _hidden: int = field(default=1, repr=False)


def test_a_value_becomes_its_fields_with_units_and_utc() -> None:
    seen = datetime(2026, 3, 2, 14, tzinfo=timezone(timedelta(hours=2)))
    thing = Thing(timedelta(minutes=2), seen, Tier.BATCH, float("nan"))
    assert plain(thing) == {
        "lead_time_seconds": 120.0,
        "seen": "2026-03-02T12:00:00Z",
        "tier": "batch",
        "ratio": None,
        "names": ["a", "b"],
    }


def test_keys_spans_paths_and_sketches_have_a_plain_form() -> None:
    assert plain(a_pool()) == {"region": "east", "model": "alpha", "vm_type": "small"}
    assert plain(Span(NOON, NOON))["end"] == "2026-03-02T12:00:00Z"
    assert plain({Tier.BATCH: Path("/x")}) == {"batch": "/x"}
    sketch = plain(LatencySketch.of([1.0] * 10))
    assert sketch["count"] == 10
    assert sketch["p50_seconds"] == pytest.approx(1, rel=0.03)
    json.dumps(sketch)


def test_json_of_a_watch_is_one_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).json({"a": [1, {"b": 2}]}, lines=True)
    assert capsys.readouterr().out == '{"a": [1, {"b": 2}]}\n'


def test_json_answers_hold_no_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=True)
    out.say("hello")
    out.note("beside")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "beside" in captured.err


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table("t", ["a"], [], empty="There is none.")
    assert capsys.readouterr().out.strip() == "There is none."


def test_cells_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table("[t]", ["a!", "b>"], [["[red]x[/]", "1"]], empty="")
    out = capsys.readouterr().out
    assert "[red]x[/]" in out
    assert "[t]" in out


def test_json_goes_to_a_file_or_says_why_not(tmp_path: Path) -> None:
    Output().json_to(tmp_path / "o.json", {"a": 1})
    assert json.loads((tmp_path / "o.json").read_text()) == {"a": 1}
    with pytest.raises(InvalidInput, match="cannot be written"):
        Output().json_to(tmp_path / "no" / "o.json", {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOON),
        ("-90m", NOON - timedelta(minutes=90)),
        ("+1d", NOON + timedelta(days=1)),
        ("2026-03-02T12:00Z", NOON),
        ("2026-03-02T12:00", NOON),
        ("2026-03-02 14:00+02:00", NOON),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
def test_instants_are_typed_in_many_ways_and_mean_utc(text: str, expected: datetime) -> None:
    assert parse_instant("--start", text, NOON) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "-5", "-5y", "12:00", "-99999999999w"])
def test_what_is_no_instant_is_refused_by_option(text: str) -> None:
    with pytest.raises(InvalidInput, match="--start"):
        parse_instant("--start", text, NOON)


def test_lengths_and_spans() -> None:
    assert parse_length("--for", "1.5h") == timedelta(minutes=90)
    assert parse_span("-1h", "now", NOON).length == timedelta(hours=1)
    with pytest.raises(InvalidInput):
        parse_span("now", "-1h", NOON)


def test_counts_per_name_are_typed_with_an_equals_sign() -> None:
    assert replicas("--target", "a/b/c=4") == ("a/b/c", 4)
    for text in ("a/b/c", "=4", "a=", "a=-1", "a=x"):
        with pytest.raises(InvalidInput):
            replicas("--target", text)


def test_numbers_read_well_and_nothing_is_a_dash() -> None:
    assert (count(1234.4), count(None), count(float("nan"))) == ("1,234", "–", "–")
    assert (rate(0.01234), rate(12.34), rate(1234.5)) == ("0.0123", "12.3", "1,234")
    assert (percent(0.123), percent(None)) == ("12.3%", "–")
    assert dollars(1234.5) == "$1,234.50"
    assert at(NOON) == "2026-03-02T12:00Z"
    assert at(NOON + timedelta(seconds=5)) == "2026-03-02T12:00:05Z"
    assert span_words(90_060) == "1 d 1 h 1 min"
    assert span_words(12) == "12 s"


def test_a_length_beyond_all_calendars_is_refused() -> None:
    assert parse_length("--for", "100w") == timedelta(weeks=100)
    with pytest.raises(InvalidInput, match="hundred years"):
        parse_length("--for", "3000000d")
