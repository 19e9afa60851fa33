"""Fleets under every way of placing requests: what the page on Aladdin rests on.

One region, llama2-70b on A100 workers of 2, 4 or 8 GPUs (laws composed of measured operators), Poisson
arrivals, lengths of the Azure conversation trace of 2023. Promises are 1.3 times (the paper's, as it is
cited) and 5 times what an idle worker of 8 GPUs takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.evidence.ledger import Trial
from simulation.fewest.setting import Setting
from simulation.fewest.sweeps import Point, at_equal_fleets, decode_pool, over_rates, sensitivity
from simulation.instance.mix import CHAT

STRICT = Setting(lengths=CHAT.lengths, slack=1.3)
LAX = Setting(lengths=CHAT.lengths, slack=5.0)
RATES = (4.0, 8.0, 16.0)
"""Requests per second."""
DECODE_RATES = (64.0, 128.0, 256.0)
FLEETS = {
    STRICT: {4.0: (4, 8, 12), 8.0: (8, 14, 20), 16.0: (16, 24, 32)},
    LAX: {4.0: (1, 2, 3), 8.0: (2, 3, 4), 16.0: (4, 5, 6)},
}
"""Workers of 8 GPUs at each rate, from too few to enough."""
LEVELS = (0.9, 0.95, 0.99)
SENSITIVE_AT, SENSITIVE_LEVEL = 8.0, 0.95

STRICT_FEWEST, LAX_FEWEST = "fewest-gpus-strict", "fewest-gpus-lax"
STRICT_EQUAL, LAX_EQUAL = "equal-fleets-strict", "equal-fleets-lax"
DECODE, SENSITIVE = "decode-pool", "sensitivity"
GPUS, KEPT = "gpus", "promises_kept"


def named(contender: str, configuration: str, level: float) -> str:
    """What a trial calls a contender's search."""
    return f"{contender} | {configuration} | {level:g}"


def strict_fewest(seed: int) -> Iterator[Trial]:
    """Every contender's own smallest fleet, by rate, level and worker, at 1.3 times an idle worker."""
    points = over_rates(STRICT, RATES, levels=LEVELS, seeds=(seed,))
    return _searched(STRICT_FEWEST, points, seed)


def lax_fewest(seed: int) -> Iterator[Trial]:
    """The same at 5 times an idle worker."""
    return _searched(LAX_FEWEST, over_rates(LAX, RATES, levels=LEVELS, seeds=(seed,)), seed)


def decode_gpus(seed: int) -> Iterator[Trial]:
    """The same where prompts come prefilled, at 1.3 times."""
    return _searched(DECODE, decode_pool(STRICT, DECODE_RATES, seeds=(seed,)), seed)


def strict_equal(seed: int) -> Iterator[Trial]:
    """Promises kept on the same fleets; a trial's setting is its number of workers."""
    return _on_fleets(STRICT_EQUAL, STRICT, seed)


def lax_equal(seed: int) -> Iterator[Trial]:
    """The same at 5 times an idle worker."""
    return _on_fleets(LAX_EQUAL, LAX, seed)


def sensitive(seed: int) -> Iterator[Trial]:
    """The fewest GPUs as one margin, error or promise changes."""
    for point in sensitivity(STRICT, SENSITIVE_AT, level=SENSITIVE_LEVEL, seeds=(seed,)):
        yield _trial(SENSITIVE, f"{point.contender} | {point.varied}", point.value, point, seed)


def _on_fleets(scenario: str, setting: Setting, seed: int) -> Iterator[Trial]:
    for rate, fleets in FLEETS[setting].items():
        for name, one in at_equal_fleets(setting, rate, fleets, seeds=(seed,)):
            yield Trial(
                scenario=scenario,
                policy=f"{name} | {rate:g}",
                headroom=float(one.replicas),
                seed=seed,
                figures={KEPT: one.attainment, GPUS: float(one.gpus_in_all)},
            )


def _searched(scenario: str, points: Iterable[Point], seed: int) -> Iterator[Trial]:
    for point in points:
        name = named(point.contender, point.configuration, point.level)
        yield _trial(scenario, name, point.per_second, point, seed)


def _trial(scenario: str, policy: str, headroom: float, point: Point, seed: int) -> Trial:
    found = point.found
    figures = {
        GPUS: None if found is None else float(found.gpus_in_all),
        KEPT: None if found is None else found.attainment,
    }
    return Trial(scenario=scenario, policy=policy, headroom=headroom, seed=seed, figures=figures)
