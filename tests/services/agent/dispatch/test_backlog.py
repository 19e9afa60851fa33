"""What waits is reported by due time, as early as it could be due, and never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.catalogue import FleetCatalogue
from heliostat.model.fleet import BacklogGroup, BatchBacklog
from heliostat.model.names import ModelName
from services.agent.bootstrap import build_agent
from services.agent.dispatch.attendance import GRACE_SECONDS, Attendance
from services.agent.dispatch.backlog import GROUPS_A_DEADLINE, WaitingBatch, groups_of
from services.agent.hands import Hands
from services.agent.journal.batch_box import KEEP_ENDED, BatchBox
from services.agent.settings import AgentSettings, BacklogReport, DispatchSettings
from services.translation.backlogs import MOST_GROUPS, backlog_from_wire, backlog_to_wire
from tests.builders import MINUTE, NOON, QUARTER, a_catalogue, catalogue_mapping
from tests.support.agents import EAST, AgentDisk
from tests.support.dispatching import ALPHA, BATCH, Counter, an_ask, an_endpoint
from tests.support.dispatching_agent import NO_CONTROL_PLANE, StandingReplicas

DAY = timedelta(days=1)
BETA = ModelName("beta")
AT = NOON.timestamp()
NOON_MINUTE = int(AT) // 60


@pytest.fixture
def box(tmp_path: Path) -> Iterator[BatchBox]:
    disk = AgentDisk(tmp_path)
    yield BatchBox(disk.file())
    disk.close()


def put(box: BatchBox, name: str, due_in: timedelta) -> None:
    box.put([(an_ask(name, tier=BATCH), NOON + due_in)], gateway_id="gw", at=AT)


def reported(
    box: BatchBox,
    report: BacklogReport = BacklogReport.WHEN_USED,
    catalogue: FleetCatalogue | None = None,
    attendance: Attendance | None = None,
    seconds: float = AT,
) -> tuple[BatchBacklog, ...]:
    waiting = WaitingBatch(
        region=EAST,
        catalogue=catalogue or a_catalogue(),
        box=box,
        attendance=attendance or Attendance(AT),
        report=report,
    )
    return waiting.at(NOON, seconds)


def test_a_request_is_due_from_the_begin_of_its_part_of_the_deadline() -> None:
    counts = {NOON_MINUTE + 44: 2, NOON_MINUTE + 45: 3, NOON_MINUTE + 59: 4}
    assert groups_of(counts, NOON, DAY) == (
        BacklogGroup(due=NOON + 2 * QUARTER, requests=2),
        BacklogGroup(due=NOON + 3 * QUARTER, requests=7),
    )


def test_what_is_late_is_due_now() -> None:
    now = NOON + 4 * MINUTE
    counts = {NOON_MINUTE - 9000: 1, NOON_MINUTE + 1: 2, NOON_MINUTE + 14: 3}
    assert groups_of(counts, now, DAY) == (BacklogGroup(due=now, requests=6),)


@given(
    st.dictionaries(st.integers(-3000, 10**6), st.integers(1, 9), max_size=50),
    st.integers(60, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_groups_are_few_and_never_later_than_their_members(
    ahead: dict[int, int], deadline: timedelta
) -> None:
    counts = {NOON_MINUTE + minute: requests for minute, requests in ahead.items()}
    groups = groups_of(counts, NOON, deadline)
    assert len(groups) <= GROUPS_A_DEADLINE + 2 <= MOST_GROUPS
    assert sum(group.requests for group in groups) == sum(ahead.values())
    assert list(groups) == sorted(groups, key=lambda group: group.due)
    for minute in ahead:
        due = max(NOON, NOON + minute * MINUTE)
        sooner = sum(group.requests for group in groups if group.due <= due)
        assert sooner >= sum(n for other, n in ahead.items() if other <= minute)


@pytest.mark.parametrize("days", [396, 397, 400, 36_500])
def test_a_region_with_a_deadline_of_years_can_be_reported(box: BatchBox, days: int) -> None:
    mapping = catalogue_mapping()
    tiers = {**mapping["models"][0]["tiers"]}
    tiers["batch"] = {**tiers["batch"], "deadline_seconds": days * 86_400}
    mapping["models"][0] = {**mapping["models"][0], "tiers": tiers}
    for name, due_in in (("a", QUARTER), ("b", 395 * DAY), ("c", days * DAY)):
        put(box, name, due_in)
    backlog, _ = reported(box, catalogue=a_catalogue(mapping))
    assert backlog.requests == 3
    assert [g.requests for g in backlog.groups] == [1, 2]
    heard = backlog_from_wire("backlog", backlog_to_wire(backlog), EAST, NOON - MINUTE)
    assert heard == backlog


def test_until_a_gateway_hands_one_over_nothing_is_known(box: BatchBox) -> None:
    assert reported(box) == ()
    put(box, "a", 2 * QUARTER)
    waiting = BatchBacklog(
        region=EAST, model=ALPHA, groups=(BacklogGroup(due=NOON + 2 * QUARTER, requests=1),)
    )
    assert reported(box) == (waiting, BatchBacklog(region=EAST, model=BETA))
    box.end({"a": True}, AT)
    nothing = tuple(BatchBacklog(region=EAST, model=model) for model in (ALPHA, BETA))
    assert reported(box) == nothing, "its gateways do hand them over"
    box.forget_ended(AT + KEEP_ENDED.total_seconds() + 1)
    assert reported(box) == ()


def test_the_operator_may_know_better_what_an_empty_queue_means(box: BatchBox) -> None:
    nothing = tuple(BatchBacklog(region=EAST, model=model) for model in (ALPHA, BETA))
    assert reported(box, BacklogReport.ALWAYS) == nothing
    put(box, "a", QUARTER)
    assert reported(box, BacklogReport.NEVER) == ()


def test_what_waits_for_a_gateway_that_has_gone_is_no_work_to_plan_for(box: BatchBox) -> None:
    put(box, "a", QUARTER)
    attendance = Attendance(AT - 2 * GRACE_SECONDS)

    def waiting(later: float) -> list[int]:
        found = reported(box, attendance=attendance, seconds=AT + later)
        return [backlog.requests for backlog in found]

    assert waiting(0) == [], "no gateway is there: do they still hand them over?"
    attendance.came("other")
    assert waiting(0) == [0, 0]
    attendance.came("gw")
    attendance.came("gw")
    attendance.left("gw", AT)
    assert waiting(2 * GRACE_SECONDS) == [1, 0]
    attendance.left("gw", AT)
    assert waiting(GRACE_SECONDS) == [1, 0], "it may be restarting"
    assert waiting(GRACE_SECONDS + 1) == [0, 0]
    assert reported(box, seconds=AT + GRACE_SECONDS)[0].requests == 1, "the agent just started"


async def test_a_room_counts_what_gateways_handed_over_until_it_is_placed(desk: Counter) -> None:
    desk.seconds += 2 * GRACE_SECONDS
    assert desk.room.batch_backlog(NOON) == ()
    with desk.room.stream("gw"):
        await desk.ask_batch("b-1", "b-2")
        assert [one.requests for one in desk.room.batch_backlog(NOON)] == [2, 0]
        await desk.show(an_endpoint())
        await desk.wait(2)
        assert [one.requests for one in desk.room.batch_backlog(NOON)] == [0, 0]


def test_only_models_that_offer_batch_work_are_reported(box: BatchBox) -> None:
    mapping = catalogue_mapping()
    mapping["models"][1] = {**mapping["models"][1], "tiers": dict(mapping["models"][1]["tiers"])}
    del mapping["models"][1]["tiers"]["batch"]
    put(box, "a", QUARTER)
    (backlog,) = reported(box, catalogue=a_catalogue(mapping))
    assert backlog.model == ALPHA


class MeasuringReplicas(StandingReplicas):
    """Whose driver knows what waits, as that of a simulated region does."""

    def observe(self, now: Any) -> Any:
        backlog = BatchBacklog(region=EAST, model=BETA)
        return replace(super().observe(now), batch_backlog=(backlog,))


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ({}, {ALPHA, BETA}),
        ({"dispatch": DispatchSettings(enabled=False)}, set()),
        ({"dispatch": DispatchSettings(report_backlog=BacklogReport.NEVER)}, set()),
        ({"local_listen": ""}, set()),
    ],
)
def test_an_agent_that_dispatches_nothing_leaves_what_its_driver_says(
    tmp_path: Path, settings: dict[str, Any], known: set[ModelName]
) -> None:
    values: dict[str, Any] = {
        "region": "east",
        "control_planes": (NO_CONTROL_PLANE,),
        "data_dir": tmp_path,
        "metrics_listen": "",
        "seed": 1,
        "power_safe": False,
    }
    disk = AgentDisk(tmp_path)
    put(BatchBox(disk.file()), "a", QUARTER)
    disk.close()
    for driver, alone in ((StandingReplicas(), set()), (MeasuringReplicas(), {BETA})):
        hands = Hands(driver=driver)
        agent = build_agent(
            AgentSettings(**(values | settings)),
            a_catalogue(),
            now=NOON,
            hands_of=lambda _, hands=hands: hands,  # type: ignore[misc]
        )
        agent.tick(NOON)
        seen = agent.journal.unsent_observation()
        assert seen is not None
        assert {backlog.model for backlog in seen.batch_backlog} == known or alone
        agent.journal._file.close()
