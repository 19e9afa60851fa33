"""The fallback plan when no plan can be computed: the last targets, else the catalogue's minimums."""

from __future__ import annotations

from heliostat.catalogue import PoolSpec
from heliostat.model.counting import replicas_in_words
from heliostat.model.fleet import Signal
from heliostat.model.plan import CapacityPlan, PlanStatus, PoolTarget, Reason
from planning.bindings import ENDED, MINIMUM, RULED
from planning.situation import Situation


def keep_or_floor(
    situation: Situation, policy: str, why: str, *, infeasible: bool = False
) -> CapacityPlan:
    """The previous plan's targets, or the floor as long as nothing else was ever decided.

    Overrides stand, and what they changed goes back when they have ended; nothing else that is held is
    taken away.
    """
    previous = situation.problem.previous
    never_decided = previous is None or (previous.status is PlanStatus.FLOOR and not infeasible)
    status = PlanStatus.FLOOR if never_decided else PlanStatus.KEPT_LAST
    what = "the catalogue's minimum applies" if never_decided else "the last plan's targets apply"
    lead = "infeasible: " if infeasible else ""
    return CapacityPlan(
        created_at=situation.problem.at,
        policy=policy,
        status=status,
        first_step=situation.grid.spans[0].start,
        step=situation.grid.spans[0].length,
        targets=tuple(_target(situation, spec, status, why) for spec in situation.pools),
        flows=previous.flows if previous is not None else (),
        shortages=previous.shortages if previous is not None else (),
        notes=(f"{lead}{why}; {what}", *situation.wanted.notes),
    )


def _target(situation: Situation, spec: PoolSpec, status: PlanStatus, why: str) -> PoolTarget:
    override, ended = situation.overrides.get(spec.key), situation.ended.get(spec.key)
    last, current = situation.last(spec.key), situation.standing[spec.key].replicas
    binding, author, without = "kept last", "", None
    if override is not None:
        replicas = spec.within(override.target_replicas)
        binding, author = RULED, override.author
        without = situation.before_override(spec)
        said = f"{author} set it ({override.reason})"
    elif ended is not None:
        replicas = without = ended.replicas
        binding, author = ENDED, ended.author
        said = f"{ended.said}, because {why}"
    elif last is not None and status is PlanStatus.KEPT_LAST:
        replicas = last.replicas
        said = f"as in the last plan, because {why}"
    else:
        replicas = max(spec.min_replicas, current, last.replicas if last is not None else 0)
        binding = MINIMUM
        said = f"{why}; {_kept(situation, spec, last)}"
    return PoolTarget(
        pool=spec.key,
        replicas=replicas,
        current=current,
        reason=Reason(
            summary=f"{replicas_in_words(replicas)}: {said}", binding=binding, author=author
        ),
        without_override=without,
    )


def _kept(situation: Situation, spec: PoolSpec, last: PoolTarget | None) -> str:
    """What is kept of a pool without a forecast."""
    floor = f"the minimum of {spec.min_replicas}"
    if situation.problem.fleet.state(spec.key).signal is not Signal.MISSING:
        return f"existing replicas are kept, at least {floor}"
    unseen = "existing replicas were not reported"
    if last is None:
        return f"{unseen}, so {floor} is used"
    return f"{unseen}, so the last plan's target is kept, at least {floor}"
