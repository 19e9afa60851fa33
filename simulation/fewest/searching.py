"""The fewest replicas with which a way of placing keeps a share of promises, the mean over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

from heliostat.errors import InvalidInput
from heliostat.model.instants import Span
from simulation.engine import Change, ReplicaChange
from simulation.event.engine import EventEngine
from simulation.fewest.poisson import START, PoissonRequests
from simulation.fewest.setting import MOST_REPLICAS, Setting
from simulation.local_policy import LocalPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What so many replicas of so many GPUs made of a stream, seed by seed.

    A promise is kept when TTFT and mean gap both are (joint attainment); a request that was shed, or
    had not ended when the trial did, kept none.
    """

    gpus: int
    replicas: int
    attainments: tuple[float, ...]

    @property
    def attainment(self) -> float:
        """The mean over seeds."""
        return fmean(self.attainments)

    @property
    def gpus_in_all(self) -> int:
        """What the fleet costs."""
        return self.gpus * self.replicas


def tried(
    setting: Setting,
    policy: LocalPolicy,
    *,
    gpus: int,
    replicas: int,
    per_second: float,
    seeds: Sequence[int],
) -> Trial:
    """Serve the stream of every seed on such a fleet."""
    kept = tuple(_kept(setting, policy, gpus, replicas, per_second, seed) for seed in seeds)
    return Trial(gpus=gpus, replicas=replicas, attainments=kept)


def fewest(
    setting: Setting,
    policy: LocalPolicy,
    *,
    gpus: int,
    per_second: float,
    target: float,
    seeds: Sequence[int],
    first_guess: int = 1,
) -> Trial | None:
    """The smallest fleet whose mean attainment reaches the target; None when `MOST_REPLICAS` do not, or
    when twice as many keep not one promise more: who packs leaves the rest idle.

    Doubles from the guess until it does, then halves the gap below: taken as if more replicas never kept
    fewer promises. Raises InvalidInput for a target outside (0, 1), or no seeds.
    """
    if not 0 < target < 1 or not seeds or first_guess < 1:
        raise InvalidInput("target", f"{target} with seeds {tuple(seeds)} from {first_guess}")

    def trial(replicas: int) -> Trial:
        return tried(
            setting, policy, gpus=gpus, replicas=replicas, per_second=per_second, seeds=seeds
        )

    if _hopeless(setting, gpus):
        return None
    low, found = 0, trial(first_guess)
    while found.attainment < target:
        if found.replicas >= MOST_REPLICAS:
            return None
        before, found = found, trial(min(MOST_REPLICAS, 2 * found.replicas))
        if 0 < found.attainment < target and found.attainments == before.attainments:
            return None
        low = before.replicas
    while found.replicas - low > 1:
        middle = trial((low + found.replicas) // 2)
        if middle.attainment >= target:
            found = middle
        else:
            low = middle.replicas
    return found


def _hopeless(setting: Setting, gpus: int) -> bool:
    """Even an idle worker of so many GPUs breaks the promised gap."""
    law = setting.law(gpus)
    return law.decode_seconds(1, setting.lengths.prompt.mean) > setting.slo().itl_seconds


@lru_cache(maxsize=8)
def _stream(setting: Setting, per_second: float, seed: int) -> PoissonRequests:
    return PoissonRequests(setting, per_second, seed)


def _kept(
    setting: Setting,
    policy: LocalPolicy,
    gpus: int,
    replicas: int,
    per_second: float,
    seed: int,
) -> float:
    """The share of one stream's promises that were kept."""
    source = _stream(setting, per_second, seed)
    engine = EventEngine(setting.catalogue(), source, policy, seed)
    changes = [
        ReplicaChange(at=START, replica_id=str(number), pool=setting.pool(gpus), what=Change.READY)
        for number in range(replicas)
    ]
    now = START
    while now < source.span.end:
        span = Span(now, now + engine.step)
        engine.serve(span, changes=changes if now == START else (), tables={})
        now = span.end
    tally = engine.tallies()[setting.demand]
    return tally.met / max(1, source.count)
