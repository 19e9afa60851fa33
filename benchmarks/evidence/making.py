"""Makes one page: every stage it wants is lived, and the page written again after each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.evidence.carrying import Carrier, Lived
from benchmarks.evidence.checkout import Checkout
from benchmarks.evidence.keeping import ledger_from
from benchmarks.evidence.page import EvidencePage
from benchmarks.evidence.progress import Progress
from benchmarks.evidence.scale import Scale
from benchmarks.evidence.wanted import Fixed, Match, Wanted
from benchmarks.evidence.writing import write_ledger, write_page
from heliostat.errors import InvalidInput

_SEARCH_RUNS, _CORRECTION_SHARE = 4.0, 0.8
"""What a policy needs on average to find a level on one seed, and over all seeds after the first try."""


def make_page(
    page: EvidencePage,
    carrier: Carrier,
    scale: Scale,
    progress: Progress,
    out: Path,
    checkout: Checkout,
) -> Path:
    """Live what is missing and write the page.

    Raises what runs and scenarios raise, and InvalidInput when the code changed meanwhile.
    """
    lived: dict[str, Lived] = {}
    stages = {f"{page.name} {n}/{len(page.wants)}, {w.scenario}": w
              for n, w in enumerate(page.wants, start=1)}  # fmt: skip
    for stage, wanted in stages.items():
        progress.expect(
            stage, scale.scene(wanted.scenario).name, expected_runs(wanted, carrier.seeds)
        )
    before = progress.cpu_seconds

    def write(*, complete: bool) -> Path:
        ledger = ledger_from(
            page,
            lived,
            carrier.seeds,
            code=checkout.code,
            commit=checkout.commit,
            cpu_seconds=progress.cpu_seconds - before,
            complete=complete,
        )
        write_ledger(ledger, out)
        return write_page(page, ledger, out)

    try:
        for stage, wanted in stages.items():
            progress.enter(stage)
            had = lived.setdefault(wanted.scenario, Lived(scene=scale.scene(wanted.scenario)))
            if isinstance(wanted, Match):
                carrier.match(wanted, had, _elsewhere(wanted, lived, scale))
            else:
                carrier.fixed(settled(wanted, lived), had)
            progress.leave(stage)
            checkout.check()
            write(complete=False)
    except KeyboardInterrupt:
        if any(had.outcomes for had in lived.values()):
            write(complete=False)
        raise
    return write(complete=True)


def _elsewhere(wanted: Match, lived: dict[str, Lived], scale: Scale) -> Lived | None:
    """Where settings are searched; None = where they are lived."""
    role = wanted.search_on
    if not role or scale.scene(role) == scale.scene(wanted.scenario):
        return None
    return lived.setdefault(role, Lived(scene=scale.scene(role)))


def settled(wanted: Fixed, lived: dict[str, Lived]) -> Fixed:
    """The same with every headroom filled in. Raises InvalidInput where none was found."""
    if not wanted.settings_from:
        return wanted
    found = lived[wanted.settings_from].settings
    policies = []
    for policy in wanted.policies:
        at = next((h for (name, _), h in found.items() if name == policy.name), None)
        headroom = policy.headroom if policy.headroom is not None else at
        if headroom is None:
            raise InvalidInput(
                policy.name,
                f"has no setting from {wanted.settings_from}",
                remedy="let it play there",
            )
        policies.append(replace(policy, headroom=headroom))
    return replace(wanted, policies=tuple(policies))


def expected_runs(wanted: Wanted, seeds: tuple[int, ...]) -> float:
    """About how many runs a stage needs, for the time left."""
    count = len(seeds)
    if isinstance(wanted, Fixed):
        return float(len(wanted.policies) * count)
    policies = len(wanted.policies) + wanted.bounds
    side = wanted.side_seeds or count
    per_policy = _SEARCH_RUNS + (1 + _CORRECTION_SHARE) * count
    per_side = 1 + (1 + _CORRECTION_SHARE) * side
    bounds = (count + side * (len(wanted.levels) - 1)) if wanted.bounds else 0
    return policies * (per_policy + per_side * (len(wanted.levels) - 1)) + bounds
