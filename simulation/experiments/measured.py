"""Puts lead times that were measured in place of a catalogue's priors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from heliostat.model.fleet import LeadTimeSample, StartKind
from heliostat.model.names import VmTypeName

ENOUGH = 5
"""Samples of a VM type and kind of start; fewer say too little."""


def with_lead_times(
    catalogue: Mapping[str, Any], samples: Iterable[LeadTimeSample]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The catalogue's mapping with medians and 90 % quantiles of what was measured; in words, which."""
    grouped: dict[tuple[VmTypeName, StartKind], list[float]] = defaultdict(list)
    for sample in samples:
        grouped[sample.pool.vm_type, sample.start_kind].append(sample.lead_time.total_seconds())
    known = {vm["name"] for vm in catalogue["vm_types"]}
    rows: dict[str, Any] = {name: dict(row) for name, row in catalogue["lead_times"].items()}
    said = []
    for (vm_type, kind), seconds in sorted(grouped.items()):
        if len(seconds) < ENOUGH or vm_type not in known:
            continue
        p50, p90 = (round(float(np.quantile(seconds, level))) for level in (0.5, 0.9))
        rows.setdefault(vm_type, {})[str(kind)] = {
            "p50_seconds": max(1, p50),
            "p90_seconds": max(1, p50, p90),
        }
        said.append(f"{vm_type} {kind} {p50} s ({len(seconds)} starts)")
    return {**catalogue, "lead_times": rows}, tuple(said)
