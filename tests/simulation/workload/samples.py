"""Tiny sample files of every trace format, written by the tests that read them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

AZURE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:16:51.2224670,879,55
"""
AZURE_2024 = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:30+00:00,2399,6
"""
BURSTGPT = """\
Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,230,1317,Conversation log
118,GPT-4,417,276,693,API log
"""
BURSTGPT_3 = """\
Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
19440110.0,1722ac82,43,GPT-4,906,446,1352,Conversation log
19440161.0,d5983bf9,2,ChatGPT,100,0,100,API log
"""
MOONCAKE = "".join(
    json.dumps({"timestamp": at, "input_length": i, "output_length": o, "hash_ids": [0, 1]}) + "\n"
    for at, i, o in ((0, 6755, 500), (3052, 7234, 794), (61_000, 2287, 316))
)


def text_file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def requests_file(folder: Path, arrivals: Sequence[float | None], tokens: int = 100) -> Path:
    path = folder / "requests.parquet"
    pl.DataFrame(
        {
            "arrival_s": pl.Series(arrivals, dtype=pl.Float64),
            "model": ["m"] * len(arrivals),
            "input_tokens": pl.Series([tokens] * len(arrivals), dtype=pl.Int32),
            "output_tokens": pl.Series([tokens // 2] * len(arrivals), dtype=pl.Int32),
        }
    ).write_parquet(path, metadata={"start_ts": "2025-04-07 16:00:00+00:00"})
    return path


def series_file(
    folder: Path,
    values: Mapping[str, Sequence[float | None]],
    *,
    step: timedelta = timedelta(minutes=10),
    zone: str = "",
    tokens: bool = True,
    start: datetime = datetime(2025, 3, 31, 16, tzinfo=UTC),
) -> Path:
    """Requests per bin of each series; 100 input and 10 output tokens a request."""
    frames = []
    for name, requests in values.items():
        column = pl.Series(requests, dtype=pl.Float64)
        frames.append(
            pl.DataFrame(
                {
                    "start_ts": pl.Series([start + step * i for i in range(len(requests))]).cast(
                        pl.Datetime("ms", "UTC")
                    ),
                    "series_id": [name] * len(requests),
                    "requests": column,
                    "input_tokens": column * 100 if tokens else column * float("nan"),
                    "output_tokens": column * 10 if tokens else column * float("nan"),
                }
            ).with_columns(pl.col("input_tokens", "output_tokens").fill_nan(None))
        )
    path = folder / "series.parquet"
    notes = {"interval_s": f"{step.total_seconds():.0f}", "tz_local": zone}
    pl.concat(frames).write_parquet(path, metadata=notes)
    return path


def servegen_folder(folder: Path) -> Path:
    """Two clients with three windows each; only client 0 has lengths."""
    pool = folder / "m-tiny"
    pool.mkdir()
    text_file(pool, "chunk-0-trace.csv", "0,1.5,1,Gamma,1,1\n600,0.5,1,Weibull,1,1\n1200,,,,,\n")
    text_file(pool, "chunk-1-trace.csv", "0,2,1,Gamma,1,1\n600,0,0,,0,0\n1200,1,1,Gamma,1,1\n")
    laws = {"input_tokens": "{100: 0.5, 300: 0.5}", "output_tokens": "{10: 1.0}"}
    text_file(pool, "chunk-0-dataset.json", json.dumps({"0": laws}))
    return pool
