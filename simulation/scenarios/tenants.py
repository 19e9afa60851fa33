"""ServeGen's tenants on a fleet: real clients of a public model service, whole, with their holes.

Source: Xiang et al., ServeGen (arXiv 2505.09999), 14 days of two of Alibaba Model Studio's pools, in
bins of ten minutes; dates are inferred. The files are not ours to ship: they are looked for in the
folder that HELIOSTAT_DATA names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from heliostat.catalogue import FleetCatalogue
from heliostat.errors import DataMissing
from simulation.scenarios.sizing import planned_seconds
from simulation.workload.load import LoadedTrace, load_trace
from simulation.workload.pools import merged
from simulation.workload.quantiles import LengthLaws, law_of_lengths
from simulation.workload.wanted import WantedDemand

DATA_VARIABLE = "HELIOSTAT_DATA"
POOLS: Mapping[str, float] = {
    "series/servegen_m-large.parquet": 1.0,
    # 6 times the requests of the large pool with a sixth of its tokens: thinned, so that requests
    # do not outnumber what they cost.
    "series/servegen_m-small.parquet": 0.03,
}
BEGINS = datetime(2025, 4, 9, tzinfo=UTC)
"""A Wednesday; most of the small pool's holes lie in the three days from here."""
DAYS, HISTORY_DAYS = 3, 7
_LEVELS = (0.5, 0.9, 0.99)
LENGTHS = LengthLaws(
    prompt=law_of_lengths(_LEVELS, (601, 2371, 5452)),
    output=law_of_lengths(_LEVELS, (53, 461, 872)),
)
"""How lengths spread round a minute's mean: those of the large pool's clients, over 14 days."""


def tenants_trace(data: Path | None) -> LoadedTrace:
    """Both pools as one trace. Raises DataMissing, naming what is not there and where it was looked for."""
    where = f"set {DATA_VARIABLE} to a folder that contains {' and '.join(POOLS)}"
    if data is None:
        raise DataMissing(f"scenario tenants: {DATA_VARIABLE} is not set", remedy=where)
    lacking = [str(data / name) for name in POOLS if not (data / name).is_file()]
    if lacking:
        raise DataMissing(f"scenario tenants: {', '.join(lacking)} is not there", remedy=where)
    return merged([(load_trace(data / name), factor) for name, factor in POOLS.items()])


def tenants_wanted(catalogue: FleetCatalogue, busy_replicas: float) -> WantedDemand:
    """Three days after a week, at a level per model; dates as recorded, on every region's own clock."""
    return WantedDemand(
        begins=BEGINS,
        days=DAYS,
        history_days=HISTORY_DAYS,
        busy_replicas=busy_replicas,
        seed=0,
        seconds_of=planned_seconds(catalogue),
        level_of_run=True,
        lengths={model.name: LENGTHS for model in catalogue.models},
    )
