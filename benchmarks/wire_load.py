"""What the benchmarks of the wire send: a fleet of ten regions, and every series of every minute of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import yaml

from heliostat.model.instants import to_epoch
from heliostat.model.latency import LatencySketch
from heliostat.model.names import ModelName, RegionName, Tier
from heliostat.model.usage import WINDOW, UsageBatch, UsageSeries
from storage.opening import open_stores

REGIONS, MODELS = 10, 20
BATCH_WINDOWS = 2000
_EXAMPLE = Path(__file__).parents[1] / "deploy" / "catalogue.yaml"
_SKETCHES = 512
"""How many different sketches the load draws from."""
_BATCHES_A_CALL = 20


def a_fleet_file(folder: Path) -> Path:
    """A catalogue of ten regions and twenty models, enlarged from the example."""
    example = yaml.safe_load(_EXAMPLE.read_text(encoding="utf-8"))
    region, model = example["regions"][0], example["models"][0]
    example["regions"] = [
        {**region, "name": f"region-{i}", "ingress_endpoint": f"gw.region-{i}.example:8443"}
        for i in range(REGIONS)
    ]
    example["models"] = [{**model, "name": f"model-{i}"} for i in range(MODELS)]
    example["round_trip_ms"] = {
        f"region-{i}": {f"region-{j}": 4 if i == j else 10 + 5 * (j - i) for j in range(i, REGIONS)}
        for i in range(REGIONS)
    }
    example["pools"] = {"min_replicas": 0, "max_replicas": 60}
    path = folder / "catalogue.yaml"
    path.write_text(yaml.safe_dump(example), encoding="utf-8")
    return path


class Load:
    """Batches of one source after the other: every series of every minute, with three sketches."""

    def __init__(self, source: str, *, start: datetime, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self._source = source
        self._start = to_epoch(start)
        self._series = tuple(
            UsageSeries(
                origin=RegionName(f"region-{region}"),
                serving=RegionName(f"region-{region}"),
                model=ModelName(f"model-{model}"),
                tier=tier,
            )
            for region in range(REGIONS)
            for model in range(MODELS)
            for tier in Tier
        )
        self._sketches = [
            LatencySketch.of(rng.lognormal(-1, 0.7, size=40)).to_bytes() for _ in range(_SKETCHES)
        ]
        self._offered = rng.integers(20, 200, size=BATCH_WINDOWS).tolist()
        self._tokens = rng.integers(10_000, 500_000, size=BATCH_WINDOWS).tolist()

    def batch(self, sequence: int) -> UsageBatch:
        """The batch of that sequence; other sequences are other windows."""
        places = range((sequence - 1) * BATCH_WINDOWS, sequence * BATCH_WINDOWS)
        series = len(self._series)
        sketches = [self._sketches[place % _SKETCHES] for place in places]
        step = int(WINDOW.total_seconds())
        return UsageBatch(
            source_id=self._source,
            incarnation=1,
            sequence=sequence,
            series=self._series,
            series_index=[place % series for place in places],
            window_start=[self._start + place // series * step for place in places],
            revision=[1] * BATCH_WINDOWS,
            offered=self._offered,
            admitted=self._offered,
            rejected=[0] * BATCH_WINDOWS,
            retried=[0] * BATCH_WINDOWS,
            completed=self._offered,
            input_tokens=self._tokens,
            output_tokens=self._tokens,
            ttft=sketches,
            itl=sketches,
            e2e=sketches,
        )


def fill(url: str, windows: int, start: datetime) -> None:
    """Put that many windows into the store, beside the wire."""
    opened = open_stores(url)
    end = windows // BATCH_WINDOWS + 1
    try:
        load = Load("region-0/before", start=start)
        for first in range(1, end, _BATCHES_A_CALL):
            some = range(first, min(first + _BATCHES_A_CALL, end))
            opened.stores.usage.record([load.batch(number) for number in some])
    finally:
        opened.close()
