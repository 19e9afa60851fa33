"""Aladdin's evidence as values: fewest GPUs over rates, levels, configurations, and what it is sensitive to.

Every contender has its own search, with the worker that Aladdin's step 1 picks and with the reference one,
so that placement's share is seen apart from the worker's. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from scheduling.laws.law import WorkerLaw
from scheduling.placement.margins import CAREFUL, Margins
from scheduling.request import Promise
from scheduling.sizing.configuration import Candidate, Configuration, best_configuration
from scheduling.sizing.load import Load
from simulation.fewest.contenders import CONTENDERS
from simulation.fewest.searching import Trial, fewest, tried
from simulation.fewest.setting import Setting
from simulation.local_policy import Dispatch, Fit, LocalPolicy

LEVELS = (0.9, 0.95, 0.99)
SEEDS = (1, 2, 3, 4, 5)
ALADDIN, REFERENCE = "aladdin", "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One search: `varied` names what was changed, `value` to what; `found` None = no fleet reaches it."""

    contender: str
    configuration: str
    per_second: float
    level: float
    varied: str = ""
    value: float = 0.0
    found: Trial | None


def configured(setting: Setting, per_second: float) -> Configuration | None:
    """The worker that Aladdin's step 1 picks for a load; None when no candidate keeps the promise."""
    slo, mean = setting.slo(), setting.lengths
    unloaded = setting.law(setting.reference_gpus).prefill_seconds(mean.prompt.mean)
    load = Load(
        requests_per_second=per_second,
        input_tokens=mean.prompt.mean,
        output_tokens=mean.output.mean,
        promise=Promise(ttft_seconds=slo.ttft_seconds(unloaded), itl_seconds=slo.itl_seconds),
    )
    candidates = [
        Candidate(vm_type=setting.vm_type(gpus), gpus=gpus, law=WorkerLaw.of(setting.law(gpus)))
        for gpus in setting.gpu_counts
    ]
    return best_configuration(candidates, load)


def over_rates(
    setting: Setting,
    rates: Sequence[float],
    *,
    contenders: Mapping[str, LocalPolicy] = CONTENDERS,
    levels: Sequence[float] = LEVELS,
    seeds: Sequence[int] = SEEDS,
) -> Iterator[Point]:
    """Every contender at every rate and level, on Aladdin's worker and on the reference one (once, where
    they are the same). A higher level begins its search at the fleet of the one before."""
    for rate in rates:
        picked = configured(setting, rate)
        workers = {REFERENCE: setting.reference_gpus}
        if picked is not None and picked.candidate.gpus != setting.reference_gpus:
            workers = {ALADDIN: picked.candidate.gpus} | workers
        for configuration, gpus in workers.items():
            for name, policy in contenders.items():
                guess = 1
                for level in sorted(levels):
                    found = fewest(
                        setting,
                        policy,
                        gpus=gpus,
                        per_second=rate,
                        target=level,
                        seeds=seeds,
                        first_guess=guess,
                    )
                    guess = found.replicas if found else guess
                    yield Point(
                        contender=name,
                        configuration=configuration,
                        per_second=rate,
                        level=level,
                        found=found,
                    )


def at_equal_fleets(
    setting: Setting,
    per_second: float,
    fleets: Sequence[int],
    *,
    contenders: Mapping[str, LocalPolicy] = CONTENDERS,
    seeds: Sequence[int] = SEEDS,
) -> Iterator[tuple[str, Trial]]:
    """What every contender makes of the same fleets of reference workers."""
    for replicas in fleets:
        for name, policy in contenders.items():
            yield (
                name,
                tried(
                    setting,
                    policy,
                    gpus=setting.reference_gpus,
                    replicas=replicas,
                    per_second=per_second,
                    seeds=seeds,
                ),
            )


def sensitivity(
    setting: Setting, per_second: float, *, level: float = 0.99, seeds: Sequence[int] = SEEDS
) -> Iterator[Point]:
    """Careful best fit on the reference worker: θ, margin of time, foresight, error of lengths; then the
    slack of promises, against the shortest queue."""
    fits = [
        *(
            ("memory_share", share, Fit(margins=replace(CAREFUL, memory_share=share)))
            for share in (0.8, 0.9, 0.95, 1.0)
        ),
        *(("time", time, Fit(margins=replace(CAREFUL, time=time))) for time in (0.0, 0.1, 0.3)),
        *(
            ("foresight", foresight, Fit(margins=Margins(foresight=foresight)))
            for foresight in (0.0, 0.1, 0.25, 0.5, 1.0)
        ),
        *(
            ("length_error", error, Fit(margins=CAREFUL, length_error=error))
            for error in (0.0, 0.25, 0.5, 0.75, 1.0)
        ),
    ]
    for varied, value, fit in fits:
        policy = LocalPolicy(dispatch=Dispatch.BEST_FIT, fit=fit)
        yield _point(setting, "best fit, careful", policy, per_second, level, seeds, varied, value)
    for slack in (1.3, 1.5, 2.0, 3.0, 5.0):
        for name in ("best fit, careful", "best fit, spread", "heliostat", "shortest queue"):
            laxer = replace(setting, slack=slack)
            policy = CONTENDERS[name]
            yield _point(laxer, name, policy, per_second, level, seeds, "slack", slack)


def decode_pool(
    setting: Setting, rates: Sequence[float], *, seeds: Sequence[int] = SEEDS
) -> Iterator[Point]:
    """The decode half of split phases: prompts come prefilled, gap and memory are all there is to keep."""
    names = ("best fit", "best fit, lengths known", "shortest queue", "power of two")
    contenders = {name: CONTENDERS[name] for name in names}
    split = replace(setting, decode_only=True)
    yield from over_rates(split, rates, contenders=contenders, seeds=seeds)


def _point(
    setting: Setting,
    contender: str,
    policy: LocalPolicy,
    per_second: float,
    level: float,
    seeds: Sequence[int],
    varied: str,
    value: float,
) -> Point:
    found = fewest(
        setting,
        policy,
        gpus=setting.reference_gpus,
        per_second=per_second,
        target=level,
        seeds=seeds,
    )
    return Point(
        contender=contender,
        configuration=REFERENCE,
        per_second=per_second,
        level=level,
        varied=varied,
        value=value,
        found=found,
    )
