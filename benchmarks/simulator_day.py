"""`python -m benchmarks.simulator_day POLICY`: runs the ten-million day alone, prints what it took as JSON.

A process of its own, so that memory and CPU are the day's and its workers', nobody else's.
"""

from __future__ import annotations

import json
import resource
import sys

from benchmarks.simulator_worlds import day_steps, ten_million_day
from simulation.experiments.spec import EVENT
from simulation.experiments.warming import warm_up

_KIB = 1024


def main(policy: str) -> None:
    """Run the day. Compilation and imports come first and are not counted."""
    warm_up(EVENT)
    before = cpu_of_all()
    world = ten_million_day(policy)
    for _ in day_steps(world):
        pass
    accounts = world.accounts()
    print(
        json.dumps(
            {
                "cpu_seconds": cpu_of_all() - before,
                "rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
                + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _KIB,
                "requests": accounts.offered,
                "gpu_hours": accounts.gpu_hours_billed,
                "kept": accounts.slo_attainment_reachable_overall,
            }
        )
    )


def cpu_of_all() -> float:
    """CPU seconds of this process and of workers that ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main(*sys.argv[1:])
