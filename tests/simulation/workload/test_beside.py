"""What a built trace was meant to be stands beside what is found in it, figure by figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from simulation.workload.beside import beside
from simulation.workload.describe import describe
from simulation.workload.load import load_trace
from simulation.workload.target import TargetSpec, published_target
from tests.builders import NOON, a_catalogue


def built(folder: Path, *, holes: str = "{}", span_s: str = "7200") -> Path:
    """Two hours: a request of `alpha` each second, and in the first hour one of `beta` a minute."""
    rows = [(float(s), "alpha", "batch", 100, 10) for s in range(7200)]
    rows += [(float(60 * m), "beta", "interactive-fast", 1000, 1) for m in range(60)]
    columns = list(zip(*sorted(rows), strict=True))
    path = folder / "built.parquet"
    pl.DataFrame(
        {
            "arrival_s": columns[0],
            "origin": ["east"] * len(rows),
            "model": columns[1],
            "tier": columns[2],
            "input_tokens": columns[3],
            "output_tokens": columns[4],
        }
    ).write_parquet(path, metadata={"start_ts": NOON.isoformat(), "span_s": span_s, "holes": holes})
    return path


def test_found_and_wanted_stand_side_by_side(tmp_path: Path) -> None:
    target = TargetSpec.model_validate(
        {
            "mean_per_second": 2,
            "autocorrelation_week": 0.5,
            "prompt_tokens": {"p50": 200, "p99.9": 900},
            "models": {
                "alpha": {"peak_per_second": 1, "batch_burstiness": {"p99": 1}},
                "gamma": {"output_tokens": {"p50": 5}},
            },
        }
    )
    compared = beside(describe(load_trace(built(tmp_path))), target)
    told = {(one.model, one.figure, one.level): [one.found, one.wanted] for one in compared}
    assert told["", "mean per second", ""] == [pytest.approx(7260 / 7200), 2]
    assert told["", "autocorrelation week", ""] == [None, 0.5]
    assert told["", "prompt tokens", "p50"] == [pytest.approx(100, rel=0.01), 200]
    assert told["", "prompt tokens", "p99.9"] == [None, 900]
    assert told["alpha", "peak per second", ""] == [1, 1]
    assert told["alpha", "batch burstiness", "p99"] == [1, 1]
    assert told["gamma", "output tokens", "p50"] == [None, 5]
    first = next(one for one in compared if one.figure == "prompt tokens")
    assert first.ratio == pytest.approx(0.5, rel=0.01)


def test_models_are_described_apart(tmp_path: Path) -> None:
    alpha, beta = describe(load_trace(built(tmp_path))).models
    assert (alpha.model, beta.model) == ("alpha", "beta")
    assert alpha.total.mean_per_second == 1
    assert alpha.interactive_burstiness is None
    assert beta.batch_burstiness is None
    assert beta.prompt is not None
    assert beta.prompt.mean == 1000


def test_a_file_that_says_its_length_has_no_cut_off_minute(tmp_path: Path) -> None:
    figures = describe(load_trace(built(tmp_path, span_s="10800")))
    assert figures.total is not None
    assert figures.total.span_seconds == 10_800
    assert figures.total.trough_per_second == 0


def test_holes_of_a_built_trace_are_missing_and_not_zero(tmp_path: Path) -> None:
    hole = f'{{"east": [["{NOON.isoformat()}", "{NOON.replace(minute=30).isoformat()}"]]}}'
    trace = load_trace(built(tmp_path, holes=hole))
    assert [int(np.isnan(one.requests).sum()) for one in trace.series] == [30, 30]
    assert describe(trace).total.missing_bins == 30  # type: ignore[union-attr]  # it has series


def test_the_published_target_survives_being_written(tmp_path: Path) -> None:
    target = published_target(a_catalogue())
    assert TargetSpec.model_validate_json(target.model_dump_json()) == target
    assert target.models["alpha"].prompt_tokens is not None
    assert target.models["alpha"].prompt_tokens[0.5] == 5576


def test_the_interactive_day_stands_beside_what_is_published_of_it(tmp_path: Path) -> None:
    """Four days from a Monday: interactive hours rise from 10 to 120 an hour, batch is flat."""
    per_hour = [120 if hour == 14 else 10 + 4 * hour for hour in range(24)]
    rows = [
        (float(86400 * day + 3600 * hour + n * 3600 / each), tier)
        for day in range(4)
        for hour in range(24)
        for tier, each in (("interactive-fast", per_hour[hour]), ("batch", 300))
        for n in range(each)
    ]
    arrivals, tiers = zip(*sorted(rows), strict=True)
    path = tmp_path / "days.parquet"
    columns = {
        "arrival_s": arrivals,
        "origin": ["east"] * len(rows),
        "model": ["alpha"] * len(rows),
        "tier": tiers,
        "input_tokens": [100] * len(rows),
        "output_tokens": [10] * len(rows),
    }
    pl.DataFrame(columns).write_parquet(
        path, metadata={"start_ts": "2026-03-02T00:00:00+00:00", "span_s": str(4 * 86400)}
    )
    compared = beside(describe(load_trace(path)), published_target(a_catalogue()))
    told = {(one.figure, one.level): [one.found, one.wanted] for one in compared if not one.model}
    assert told["interactive peak to trough", "from"] == [pytest.approx(12), 9]
    assert told["interactive peak to trough", "to"] == [pytest.approx(12), 13]
    assert told["interactive autocorrelation day", "from"] == [pytest.approx(1), 0.7]
    assert told["interactive autocorrelation day", "to"] == [pytest.approx(1), 0.95]
    untold = beside(describe(load_trace(built(tmp_path))), published_target(a_catalogue()))
    short = {one.figure: one.found for one in untold if one.figure.startswith("interactive peak")}
    assert short == {"interactive peak to trough": None}, "two hours show no day"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"prompt_tokens": {"q5": 1}}, "is not a quantile; use p50"),
        ({"prompt_tokens": {"p101": 1}}, "is not a quantile"),
        ({"prompt_tokens": {}}, "at least one quantile"),
        ({"prompt_tokens": {"p50": 5, "p90": 4}}, "rising"),
        ({"prompt_tokens": [1]}, "valid dictionary"),
        ({"autocorrelation_day": 2}, "less than or equal to 1"),
        ({"interactive_peak_to_trough": [13, 9]}, "the lower one first"),
        ({"interactive_peak_to_trough": 9}, "valid tuple"),
    ],
)
def test_a_senseless_target_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TargetSpec.model_validate(wrong)
