"""Aladdin: does best-fit placement under promises save GPUs, and how much is due to the worker's size?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.evidence import fleets
from benchmarks.evidence.fleets import FLEETS, GPUS, KEPT, LAX, STRICT, named
from benchmarks.evidence.judging import gain_reason
from benchmarks.evidence.ledger import Ledger
from benchmarks.evidence.page import EvidencePage, Shown
from benchmarks.evidence.reading import gain_of
from benchmarks.evidence.tables import Row, claims_table, table
from benchmarks.evidence.verdicts import Verdict, of_gain
from benchmarks.evidence.wanted import Measured
from benchmarks.evidence.wording import NOTHING, change, level_words, number
from simulation.experiments.intervals import Estimate, difference, estimate
from simulation.fewest.contenders import CONTENDERS
from simulation.fewest.sweeps import ALADDIN, REFERENCE

PUBLISHED, CAREFUL, OURS = "best fit", "best fit, careful", "heliostat"
QUEUE, TWO = "shortest queue", "power of two"
_OF_OURS = (CAREFUL, "best fit, spread", OURS)
RIVALS = tuple(name for name in CONTENDERS if name not in _OF_OURS and "known" not in name)
"""Baselines: no oracle, no variant of ours."""
_LEVEL = 0.95
"""Level of the claims: the highest that all but the simplest baselines reach everywhere."""
BySeed = Mapping[int, float | None]

_STRICT_SAID = "Promises are 1.3 times what an idle worker of 8 GPUs takes."
_LAX_SAID = "Promises are 5 times what an idle worker of 8 GPUs takes."
WANTS = (
    Measured(scenario=fleets.STRICT_FEWEST, measure=fleets.strict_fewest, said=(_STRICT_SAID,)),
    Measured(scenario=fleets.LAX_FEWEST, measure=fleets.lax_fewest, said=(_LAX_SAID,)),
    Measured(
        scenario=fleets.DECODE,
        measure=fleets.decode_gpus,
        said=("Prompts come prefilled; the gap between tokens is 1.3 times an idle worker's.",),
    ),
    Measured(scenario=fleets.STRICT_EQUAL, measure=fleets.strict_equal, said=(_STRICT_SAID,)),
    Measured(scenario=fleets.LAX_EQUAL, measure=fleets.lax_equal, said=(_LAX_SAID,)),
    Measured(
        scenario=fleets.SENSITIVE,
        measure=fleets.sensitive,
        said=("8 requests a second, 95 % of promises, one thing changed at a time.",),
    ),
)


def figures(ledger: Ledger, scenario: str, policy: str, at: float, figure: str) -> BySeed:
    """A figure by seed; None where no fleet reached the level; empty where nothing was measured."""
    return {
        one.seed: one.figures.get(figure)
        for one in ledger.trials
        if (one.scenario, one.policy, one.headroom) == (scenario, policy, at)
    }


def claims(ledger: Ledger) -> list[Row]:
    """The paper's figures, then our own targets."""
    rows = []
    for scenario, words in ((fleets.STRICT_FEWEST, "1.3×"), (fleets.LAX_FEWEST, "5×")):
        for contender in (PUBLISHED, CAREFUL, OURS):
            rows += [
                _fewer(
                    ledger, scenario, rate, (contender, ALADDIN), (QUEUE, REFERENCE), 0.71, words
                )
                for rate in fleets.RATES
            ]
    for contender in (PUBLISHED, "best fit, lengths known"):
        for rival, claimed in ((QUEUE, 0.60), (TWO, 0.49)):
            rows += [
                _fewer(
                    ledger,
                    fleets.DECODE,
                    rate,
                    (contender, REFERENCE),
                    (rival, REFERENCE),
                    claimed,
                    "decode pool",
                )
                for rate in fleets.DECODE_RATES
            ]
    rows += [
        _nowhere_behind(ledger, scenario) for scenario in (fleets.STRICT_EQUAL, fleets.LAX_EQUAL)
    ]
    return rows


def _gpus(ledger: Ledger, scenario: str, rate: float, who: tuple[str, str]) -> BySeed:
    """A contender's fewest GPUs on a worker; where Aladdin picks the reference they are the reference's."""
    contender, configuration = who
    found = figures(ledger, scenario, named(contender, configuration, _LEVEL), rate, GPUS)
    if found or configuration == REFERENCE:
        return found
    return figures(ledger, scenario, named(contender, REFERENCE, _LEVEL), rate, GPUS)


def _fewer(
    ledger: Ledger,
    scenario: str,
    rate: float,
    ours: tuple[str, str],
    theirs: tuple[str, str],
    claimed: float,
    words: str,
) -> Row:
    """A row on how many fewer GPUs ours needs than theirs."""
    mine, other = _gpus(ledger, scenario, rate, ours), _gpus(ledger, scenario, rate, theirs)
    claim = f"{words}, {rate:g} requests/s: fewer GPUs, {ours[0]} on {_worker(ours)} against {theirs[0]}"
    asked = f"up to −{100 * claimed:.0f} %"
    if not mine or not other:
        return Row(
            claim=claim,
            asked=asked,
            found=NOTHING,
            verdict=Verdict.NOT_RUN,
            reason="Not measured.",
        )
    if any(gpus is None for gpus in mine.values()):
        reason = f"No fleet size reached {level_words(_LEVEL)}."
        return Row(claim=claim, asked=asked, found=NOTHING, verdict=Verdict.NOT, reason=reason)
    pairs = [
        (gpus - less) / less
        for seed, gpus in mine.items()
        if gpus is not None and (less := other.get(seed))
    ]
    found = estimate(pairs)
    gain = gain_of(found)
    verdict = of_gain(gain, claimed)
    reason = gain_reason(gain, claimed, verdict)
    return Row(
        claim=claim,
        asked=asked,
        found=change(found),
        verdict=verdict,
        reason=f"{reason[:1].upper()}{reason[1:]}.",
    )


def _worker(who: tuple[str, str]) -> str:
    return "its own worker" if who[1] == ALADDIN else "the same worker"


def _nowhere_behind(ledger: Ledger, scenario: str) -> Row:
    """Ours against the best rival on every fleet, the rival chosen anew at each."""
    setting = STRICT if scenario == fleets.STRICT_EQUAL else LAX
    ahead, behind, level = 0, [], 0
    for rate, sizes in FLEETS[setting].items():
        for size in sizes:
            found = _against_best(ledger, scenario, rate, size)
            if found is None:
                continue
            low, high = found.low or 0.0, found.high or 0.0
            ahead += low > 0
            level += low <= 0 <= high
            if high < 0:
                behind.append(f"{rate:g} requests/s on {size} workers")
    points = ahead + level + len(behind)
    verdict = Verdict.NOT_RUN if not points else Verdict.NOT if behind else Verdict.HOLDS
    return Row(
        claim=f"`{scenario}`: {OURS} keeps at least as many promises as the best baseline",
        asked="behind at no point",
        found=f"ahead at {ahead}, behind at {len(behind)}, neither at {level} of {points} points"
        if points
        else NOTHING,
        verdict=verdict,
        reason=f"Behind at {', '.join(behind)}."
        if behind
        else "Against the best baseline at each point.",
    )


def _against_best(ledger: Ledger, scenario: str, rate: float, size: int) -> Estimate | None:
    """Promises that ours keeps less those of the best rival there, paired over seeds."""
    found = {
        name: figures(ledger, scenario, f"{name} | {rate:g}", float(size), KEPT)
        for name in (OURS, *RIVALS)
    }
    means = {name: one for name in RIVALS if (one := estimate(list(found[name].values())))}
    if not found[OURS] or not means:
        return None
    best = max(means, key=lambda name: means[name].mean)
    change_found = difference(found[OURS], found[best])
    return None if change_found is None else change_found.estimate


def _fewest_table(ledger: Ledger, scenario: str, rates: Sequence[float], level: float) -> str:
    """GPUs by contender and worker at each rate."""
    rows = []
    for configuration in (ALADDIN, REFERENCE):
        for name in CONTENDERS:
            cells = []
            for rate in rates:
                found = figures(ledger, scenario, named(name, configuration, level), rate, GPUS)
                missed = any(gpus is None for gpus in found.values())
                cells.append("never" if missed else number(estimate(list(found.values())), 1))
            if set(cells) != {NOTHING}:
                rows.append((name, configuration, *cells))
    head = ("placed by", "worker", *(f"{rate:g} requests/s" for rate in rates))
    return table(head, rows, right=range(2, len(head)))


def _equal_table(ledger: Ledger, scenario: str) -> str:
    """Promises kept in per cent on the same fleets."""
    setting = STRICT if scenario == fleets.STRICT_EQUAL else LAX
    spots = [(rate, size) for rate, sizes in FLEETS[setting].items() for size in sizes]
    rows = []
    for name in CONTENDERS:
        cells = []
        for rate, size in spots:
            found = figures(ledger, scenario, f"{name} | {rate:g}", float(size), KEPT)
            mean = estimate([None if kept is None else 100 * kept for kept in found.values()])
            cells.append(number(mean, 1))
        rows.append((name, *cells))
    head = ("placed by", *(f"{rate:g}/s on {size}" for rate, size in spots))
    return table(head, rows, right=range(1, len(head)))


def _sensitivity_table(ledger: Ledger) -> str:
    """GPUs by what was changed."""
    seen = dict.fromkeys(
        (one.policy, one.headroom) for one in ledger.trials if one.scenario == fleets.SENSITIVE
    )
    rows = []
    for policy, value in seen:
        found = figures(ledger, fleets.SENSITIVE, policy, value, GPUS)
        missed = any(gpus is None for gpus in found.values())
        contender, _, varied = policy.partition(" | ")
        gpus = "never" if missed else number(estimate(list(found.values())), 1)
        rows.append((contender, varied, f"{value:g}", gpus))
    return table(("placed by", "changed", "to", "GPUs"), rows, right=(2, 3))


def show(ledger: Ledger) -> Shown:
    """Tables of the page."""
    return Shown(
        values={
            "claims": claims_table(claims(ledger)),
            "levels": [
                {
                    "head": f"{level_words(level)} of promises",
                    "strict": _fewest_table(ledger, fleets.STRICT_FEWEST, fleets.RATES, level),
                    "lax": _fewest_table(ledger, fleets.LAX_FEWEST, fleets.RATES, level),
                }
                for level in fleets.LEVELS
            ],
            "decode": _fewest_table(ledger, fleets.DECODE, fleets.DECODE_RATES, _LEVEL),
            "strict_equal": _equal_table(ledger, fleets.STRICT_EQUAL),
            "lax_equal": _equal_table(ledger, fleets.LAX_EQUAL),
            "sensitivity": _sensitivity_table(ledger),
        }
    )


ALADDIN_PAGE = EvidencePage(name="aladdin", wants=WANTS, show=show)
