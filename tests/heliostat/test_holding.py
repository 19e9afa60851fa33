"""One agent speaks for a region: its own later lives take over at once, others when it is silent."""

from datetime import timedelta

import pytest

from heliostat.errors import RegionHeld
from heliostat.model.holding import AgentLife, RegionHold, claimed, standing
from tests.builders import MINUTE, NOON
from tests.support.agents import EAST

LEASE = timedelta(seconds=30)


def a_life(journal: int = 1, incarnation: int = 1) -> AgentLife:
    return AgentLife(agent_id="east/agent", journal_id=journal, incarnation=incarnation)


def a_hold(life: AgentLife | None = None) -> RegionHold:
    return RegionHold(region=EAST, agent=life or a_life(), since=NOON, until=NOON + LEASE)


def test_the_first_to_speak_holds_the_region_and_its_words_renew_that() -> None:
    first = claimed(None, EAST, a_life(), NOON, LEASE)
    assert first == a_hold()
    later = claimed(first, EAST, a_life(), NOON + LEASE / 2, LEASE)
    assert (later.since, later.until) == (NOON, NOON + LEASE * 3 / 2)


def test_another_agent_waits_until_the_holder_is_silent() -> None:
    with pytest.raises(RegionHeld, match=r"held by east/agent .*12:00:30.*this is .*one agent"):
        claimed(a_hold(), EAST, a_life(journal=2, incarnation=9), NOON + LEASE / 2, LEASE)
    after = claimed(a_hold(), EAST, a_life(journal=2), NOON + LEASE, LEASE)
    assert (after.agent.journal_id, after.since) == (2, NOON + LEASE)


def test_a_restart_takes_over_at_once_and_the_life_before_it_is_refused() -> None:
    restarted = claimed(a_hold(), EAST, a_life(incarnation=2), NOON + LEASE / 2, LEASE)
    assert restarted.since == NOON
    with pytest.raises(RegionHeld):
        claimed(restarted, EAST, a_life(incarnation=1), NOON + LEASE / 2, LEASE)


def test_after_the_clock_was_set_back_a_hold_lasts_one_lease_from_now() -> None:
    back = NOON - 60 * MINUTE
    held = claimed(a_hold(), EAST, a_life(), back, LEASE)
    assert (held.since, held.until) == (back, back + LEASE)
    assert standing(a_hold(), back, LEASE) == held
    with pytest.raises(RegionHeld, match="until 2026-03-02T11:00:30"):
        claimed(a_hold(), EAST, a_life(journal=2), back, LEASE)
