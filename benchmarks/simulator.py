"""How fast the simulator is: requests per CPU second, a day of ten million, and how its cost grows.

What others take, on one core of the same kind of machine: the public SageServe simulator, repaired so
that it runs, serves 1,100–1,900 requests a CPU second; Vidur, iteration by iteration, 265, in 3.8 GiB.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterable

import numpy as np

from benchmarks.figure import Benchmark, Figure
from benchmarks.simulator_worlds import REGIONS, StaticRun
from benchmarks.watch import watched

PEERS = "SageServe's public simulator, repaired: 1,100–1,900; Vidur: about 265"
_SIZES = (100_000, 1_000_000, 10_000_000)
_GIB = 2**30


def requests_per_cpu_second() -> Iterable[Figure]:
    """400 replicas in 10 regions, nobody scaling."""
    StaticRun(1).serve()
    run = StaticRun(3_000_000)
    with watched() as watch:
        requests = run.serve()
    yield Figure(
        name="simulator_requests_per_cpu_second",
        value=requests / watch.cpu_seconds,
        unit="requests/s",
        target=1_000_000,
        better="higher",
        command="make bench ARGS=simulator.requests_per_cpu_second",
        cpu_seconds=watch.cpu_seconds,
        note=f"{run.replicas} replicas in {REGIONS} regions, {requests:,} requests drawn and "
        f"served, {run.reachable_kept():.1%} of the reachable in time; {PEERS}",
    )


def ten_million_day() -> Iterable[Figure]:
    """Heliostat scales: forecasts and plans every 15 minutes, routes every 30 seconds."""
    return _day("heliostat")


def ten_million_day_chiron() -> Iterable[Figure]:
    """Chiron scales, every minute, on engines whose batch size its controller sets."""
    return _day("chiron")


def growth_exponent() -> Iterable[Figure]:
    """The static fleet for longer and longer: cost ~ requests ^ exponent."""
    StaticRun(1).serve()
    requests, seconds = [], []
    for size in _SIZES:
        run = StaticRun(size)
        with watched() as watch:
            requests.append(run.serve())
        seconds.append(watch.cpu_seconds)
    exponent = float(np.polyfit(np.log(requests), np.log(seconds), 1)[0])
    last = math.log(seconds[-1] / seconds[-2]) / math.log(requests[-1] / requests[-2])
    each = ", ".join(
        f"{count:,}: {spent:.2f} s" for count, spent in zip(requests, seconds, strict=True)
    )
    yield Figure(
        name="simulator_growth_exponent",
        value=exponent,
        unit="",
        command="make bench ARGS=simulator.growth_exponent",
        cpu_seconds=sum(seconds),
        note=f"1 = linear; {last:.2f} over the last tenfold; {each}",
    )


def _day(policy: str) -> Iterable[Figure]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.simulator_day", policy],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout)
    command = f"python -m benchmarks.simulator_day {policy}"
    note = (
        f"{found['requests']:,} requests, 3 regions × 4 models, {found['gpu_hours']:,.0f} GPU-h, "
        f"{found['kept']:.1%} of the reachable in time; latencies in the windows, two weeks of "
        "history recorded, imports and compiling apart"
    )
    yield Figure(
        name=f"simulator_ten_million_day_cpu_seconds ({policy})",
        value=found["cpu_seconds"],
        unit="s",
        target=60,
        command=command,
        cpu_seconds=found["cpu_seconds"],
        note=note,
    )
    yield Figure(
        name=f"simulator_ten_million_day_peak_rss ({policy})",
        value=found["rss_bytes"] / _GIB,
        unit="GiB",
        target=2,
        command=command,
        cpu_seconds=found["cpu_seconds"],
        note="Vidur, iteration by iteration: 3.8 GiB",
    )


BENCHMARKS: tuple[Benchmark, ...] = (
    requests_per_cpu_second,
    ten_million_day,
    ten_million_day_chiron,
    growth_exponent,
)
