"""Which headroom to try next, with as few runs as possible: bisection over a grid, then interpolation.

Attainment need not grow with headroom; every setting that was tried is kept, and the choice is among all
of them. What is interpolated is the logarithm of the share that is missed: 1 % and 0.1 % missed are as
far apart as 10 % and 1 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from simulation.experiments.sweep import Seen, cheapest, nearest_miss

_LEAST_MISSED = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How far a search goes: the policy's own grid, the least it can hold, and when a setting is near enough.

    Near enough is a setting that reaches and leaves less than `spare` of the allowed misses unused,
    or that costs within `alike` of the nearest miss below it. Beyond the grid the highest headroom is
    doubled up to `beyond` times; below it the way to the least is halved as often.
    """

    grid: tuple[float, ...]
    least: float = 0.0
    spare: float = 0.15
    alike: float = 0.01
    between: int = 2
    beyond: int = 2


def next_headroom(seen: Sequence[Seen], level: float, search: Search) -> float | None:
    """The setting worth the next run; None when the search for that level has ended."""
    known = [one for one in seen if one.attainment is not None and one.cost is not None]
    if len(known) < len(seen):
        return None  # A setting at which the policy failed says nothing about where to go.
    hits = [one.headroom for one in known if one.reaches(level)]
    misses = [one.headroom for one in known if not one.reaches(level)]
    least = min(hits, default=math.inf)
    below = max((miss for miss in misses if miss < least), default=-math.inf)
    between = [h for h in search.grid if below < h < least]
    if between:
        return between[len(between) // 2]
    if not hits:
        return _beyond(known, search)
    if below == -math.inf:
        return _under(known, level, search)
    return _refined(known, below, least, level, search)


def _beyond(known: Sequence[Seen], search: Search) -> float | None:
    """Twice the highest, unless the last two settings were no different."""
    rising = sorted(known, key=lambda one: one.headroom)
    alike = {(one.attainment, one.cost) for one in rising[-2:]}
    if len(rising) > 1 and len(alike) == 1:
        return None
    higher = 2 * max(rising[-1].headroom, 0.1)
    return higher if higher <= search.grid[-1] * 2**search.beyond else None


def _under(known: Sequence[Seen], level: float, search: Search) -> float | None:
    """Half-way from the lowest to the least, while less headroom is cheaper and still more than enough."""
    rising = sorted(known, key=lambda one: one.headroom)
    lowest = rising[0]
    tried = sum(one.headroom < search.grid[0] for one in known)
    alike = {(one.attainment, one.cost) for one in rising[:2]}
    if tried >= search.beyond or near_enough(lowest, level, search):
        return None
    if len(rising) > 1 and len(alike) == 1:
        return None
    lower = round((lowest.headroom + search.least) / 2, 4)
    return lower if lower < lowest.headroom else None


def _refined(
    known: Sequence[Seen], below: float, least: float, level: float, search: Search
) -> float | None:
    by_headroom = {one.headroom: one for one in known}
    miss, hit = by_headroom[below], by_headroom[least]
    floor = max((h for h in search.grid if h <= below), default=search.least)
    top = min((h for h in search.grid if h >= least), default=math.inf)
    refined = [h for h in by_headroom if floor < h < top and h not in search.grid]
    if len(refined) >= search.between or near_enough(hit, level, search):
        return None
    assert miss.cost is not None, "only known settings come here"
    assert hit.cost is not None, "only known settings come here"
    if abs(hit.cost - miss.cost) <= search.alike * hit.cost:
        return None
    guess = headroom_at([miss, hit], level, spare=search.spare / 2, least=search.least)
    margin = 0.15 * (least - below)
    bounded = min(max(guess, below + margin), least - margin)
    found = round(bounded, 4)
    return None if found in by_headroom else found


def near_enough(one: Seen, level: float, search: Search) -> bool:
    """It reaches, and keeps little more than was asked."""
    return one.reaches(level) and missed(one) >= (1 - search.spare) * (1 - level)


def missed(one: Seen) -> float:
    """The share of requests that did not keep their promise, never quite nothing."""
    assert one.attainment is not None, "only settings that ran to their end come here"
    return max(_LEAST_MISSED, 1 - one.attainment)


def headroom_at(
    curve: Sequence[Seen], level: float, *, spare: float = 0.0, least: float = 0.0
) -> float:
    """Where a curve of at least two settings misses (1 - spare) of what the level allows.

    Piecewise straight in the logarithm of what is missed, beyond its ends as the last piece says, but
    never below `least`. A curve that is level there has no such place: its highest headroom comes back.
    """
    goal = math.log((1 - spare) * (1 - level))
    rising = sorted(curve, key=lambda one: one.headroom)
    pieces = list(pairwise(rising))
    for low, high in pieces:
        if math.log(missed(low)) >= goal >= math.log(missed(high)):
            return max(least, _along(low, high, goal))
    low, high = pieces[0] if math.log(missed(rising[0])) < goal else pieces[-1]
    return max(least, _along(low, high, goal))


def _along(low: Seen, high: Seen, goal: float) -> float:
    first, last = math.log(missed(low)), math.log(missed(high))
    if last >= first:
        return high.headroom
    share = (goal - first) / (last - first)
    return low.headroom + share * (high.headroom - low.headroom)


def missed_at(curve: Sequence[Seen], headroom: float) -> float:
    """What is missed at a headroom between or beyond the settings of a curve of at least two."""
    rising = sorted(curve, key=lambda one: one.headroom)
    pieces = list(pairwise(rising))
    low, high = next((piece for piece in pieces if headroom <= piece[1].headroom), pieces[-1])
    share = (headroom - low.headroom) / (high.headroom - low.headroom)
    first, last = math.log(missed(low)), math.log(missed(high))
    return min(1.0, math.exp(first + share * (last - first)))


def corrected(curve: Sequence[Seen], here: Seen, level: float, search: Search) -> float | None:
    """The setting that should just reach where `here` was seen, from the curve of another seed or place.

    What `here` misses more than the curve at its headroom, it is taken to miss more everywhere. None
    when `here` is near enough, nothing new is found, or the level was never within reach.
    """
    if here.attainment is None or len(curve) < 2 or near_enough(here, level, search):
        return None
    if not any(one.reaches(level) for one in (*curve, here)):
        return None
    ratio = missed(here) / missed_at(curve, here.headroom)
    asked = min(1 - 1e-9, max(0.0, 1 - (1 - level) / ratio))
    found = round(headroom_at(curve, asked, spare=search.spare / 3, least=search.least), 4)
    highest = 2 * max(max(one.headroom for one in curve), here.headroom)
    found = min(found, highest)
    return None if abs(found - here.headroom) < 2e-3 * max(1.0, found) else found


def setting_for(seen: Sequence[Seen], level: float) -> float | None:
    """The cheapest that reaches, else the nearest miss; None when nothing ran to its end."""
    best = cheapest(seen, level) or nearest_miss(seen)
    return None if best is None else best.headroom
